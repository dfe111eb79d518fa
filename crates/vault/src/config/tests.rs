//! What the file says is what the program does, and a mistake is shown with its line.

use super::*;
use proptest::prelude::*;

#[test]
fn the_default_file_says_the_defaults_and_all_of_them() {
    assert!(Config::parse(DEFAULT_CONFIG).unwrap() == Config::default());
    let document: DocumentMut = DEFAULT_CONFIG.parse().unwrap();
    assert!(document.iter().map(|(k, _)| k).eq(Config::KEYS));
    assert!(Config::parse("").unwrap() == Config::default());
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_a_hint() {
    let error = Config::parse("# one\nroute = \"direct\"\n\nkeeep = \"30d\"\n").unwrap_err();
    assert!(
        matches!(&error, Error::UnknownKey { line: Some(4), key, nearest: "keep" } if key == "keeep")
    );
    assert_eq!(
        error.to_string(),
        "config.toml, line 4: unknown setting `keeep`; did you mean `keep`?"
    );
    let table = Config::parse("[read_receipt]\nx = 1\n").unwrap_err();
    assert!(matches!(table, Error::UnknownKey { line: Some(1), nearest: "read_receipts", .. }));
}

#[test]
fn a_wrong_value_is_told_with_its_line_and_without_the_value() {
    for (text, line, why) in [
        ("\nroute = \"pigeon\"", 2, "`route` takes \"onion\", \"direct\", \"tor\", \"tor+onion\""),
        ("read_receipts = \"pigeon\"", 1, "`read_receipts` takes true or false"),
        ("keep = \"pigeon\"", 1, "`keep` takes \"forever\", \"session\", \"30d\""),
        ("name = \"pi\\u0007geon\"", 1, "`name` takes no control characters"),
        ("lan = \"maybe\"", 1, "`lan` takes \"off\", \"on\", \"only\""),
        ("lan_interfaces = \"a/b\"", 1, "`lan_interfaces` takes \"private\", \"wlan0 eth0\""),
        ("box_sizes = \"huge\"", 1, "`box_sizes` takes \"uniform\", \"ladder\""),
        ("send_delay = \"3s-1s\"", 1, "`send_delay` takes \"off\", \"0.5s-3s\""),
        ("dummies = \"yes\"", 1, "`dummies` takes \"off\", \"30s-60s\""),
        ("keep = 30", 1, "`keep` takes a text in quotes"),
    ] {
        match Config::parse(text).unwrap_err() {
            Error::Config { line: l, why: w } => assert_eq!((l, w.as_str()), (line, why)),
            other => panic!("{other}"),
        }
    }
    assert!(matches!(Config::parse("a\nb = \"").unwrap_err(), Error::Config { .. }));
    assert!(matches!(
        Config::parse("keep = \"1d\"\nkeep = \"2d\"").unwrap_err(),
        Error::Config { line: 2, .. }
    ));
}

#[test]
fn traffic_is_shaped_as_the_file_says() {
    let text = "box_sizes = \"ladder\"\nsend_delay = \"0.5s-3s\"\ndummies = \"30s-60s\"\n";
    let config = Config::parse(text).unwrap();
    assert_eq!(config.box_sizes, BoxSizes::Ladder);
    assert_eq!((config.send_delay, config.dummies), (Some((500, 3_000)), Some((30_000, 60_000))));
}

#[test]
fn a_list_of_settings_says_what_each_means() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(CONFIG_FILE);
    std::fs::write(&path, "read_receipts = false\nname = \"N\"\n").unwrap();
    let all = Config::entries(&path).unwrap();
    assert!(all.iter().map(|e| e.key).eq(Config::KEYS));
    let of = |key: &str| all.iter().find(|e| e.key == key).unwrap();
    assert_eq!((of("name").value.as_str(), of("read_receipts").value.as_str()), ("N", "false"));
    assert_eq!((of("route").value.as_str(), of("route").choices), ("onion", Route::WORDS));
    assert!(
        of("route").help.starts_with("How messages travel.\n  \"onion\"  "),
        "{}",
        of("route").help
    );
    assert!(all.iter().all(|e| !e.help.is_empty() && !e.help.contains('#')));
    assert!(
        of("network").help.starts_with("The network that new invites use"),
        "{}",
        of("network").help
    );
}

#[test]
fn a_change_keeps_comments_and_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(CONFIG_FILE);
    let text = "# mine\nkeep = \"forever\" # for now\n\n# last\nname = \"N\"\n";
    std::fs::write(&path, text).unwrap();
    let config = Config::set(&path, "keep", "30d").unwrap();
    assert_eq!(config.keep, Keep::For(30 * 86_400_000));
    assert!(!Config::set(&path, "read_receipts", "off").unwrap().read_receipts);
    let after = std::fs::read_to_string(&path).unwrap();
    assert_eq!(after, text.replace("\"forever\"", "\"30d\"") + "read_receipts = false\n");
    assert!(Config::set(&path, "keep", "soon").is_err());
    let unknown = Config::set(&path, "nam", "x").unwrap_err();
    assert_eq!(unknown.to_string(), "unknown setting `nam`; did you mean `name`?");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), after, "unchanged after an error");
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}", key in "[a-z_]{1,12}", value in "\\PC{0,30}") {
        let _ = Config::parse(&text);
        let _ = Config::parse(&format!("{key} = {value}"));
        let _ = nearest(&text);
    }

    #[test]
    fn any_name_is_written_and_read_back(name in "[^\\p{Cc}]{1,64}") {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(CONFIG_FILE);
        std::fs::write(&path, DEFAULT_CONFIG).unwrap();
        let config = Config::set(&path, "name", &name).unwrap();
        prop_assert_eq!(config.name.as_deref(), Some(name.as_str()));
        prop_assert_eq!(Config::load(&path).unwrap().name, config.name);
    }
}
