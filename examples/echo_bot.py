#!/usr/bin/env python3
"""Answers each text message with the same text. Usage: echo_bot.py [PROGRAM]"""
import json
import subprocess
import sys

program = sys.argv[1] if len(sys.argv) > 1 else "hushwing"
rpc = subprocess.Popen([program, "profile", "rpc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
for number, line in enumerate(rpc.stdout):
    said = json.loads(line)
    if "error" in said:
        print(said["error"]["message"], file=sys.stderr)
    if said.get("method") != "event" or said["params"]["event"] != "message":
        continue
    message = said["params"]["message"]
    if message["kind"] == "text" and not message["you"]:
        params = {"conversation": message["conversation"], "text": message["text"], "reply_to": message["id"]}
        request = {"jsonrpc": "2.0", "id": number, "method": "send", "params": params}
        print(json.dumps(request), file=rpc.stdin, flush=True)
