//! The dependency graph, as `cargo metadata` prints it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::run;

/// One package of the graph.
#[derive(Debug, Clone, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    /// The oldest Rust that builds it, by its own words.
    pub(crate) rust_version: Option<String>,
    /// Manifest path; relative to the root for members.
    pub(crate) manifest: String,
    pub(crate) member: bool,
    /// Ids of the packages that are linked in (normal dependencies).
    pub(crate) normal: BTreeSet<String>,
    /// Ids of build dependencies.
    pub(crate) build: BTreeSet<String>,
}

/// All packages by id.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) packages: BTreeMap<String, Package>,
}

impl Graph {
    /// Asks cargo.
    pub(crate) fn load() -> Result<Self, String> {
        Self::parse(&run::output(run::cargo().args(["metadata", "--format-version", "1"]))?)
    }

    /// Reads the JSON of `cargo metadata --format-version 1`.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(json).map_err(|e| format!("cargo metadata: {e}"))?;
        let root = format!("{}/", text(&value["workspace_root"]));
        let members: BTreeSet<String> =
            list(&value["workspace_members"]).iter().map(text).collect();
        let mut packages = BTreeMap::new();
        for package in list(&value["packages"]) {
            let id = text(&package["id"]);
            let manifest = text(&package["manifest_path"]);
            packages.insert(
                id.clone(),
                Package {
                    name: text(&package["name"]),
                    version: text(&package["version"]),
                    license: package["license"].as_str().map(str::to_owned),
                    rust_version: package["rust_version"].as_str().map(str::to_owned),
                    manifest: manifest.strip_prefix(&root).unwrap_or(&manifest).to_owned(),
                    member: members.contains(&id),
                    ..Package::default()
                },
            );
        }
        for node in list(&value["resolve"]["nodes"]) {
            let Some(package) = packages.get_mut(&text(&node["id"])) else { continue };
            for dep in list(&node["deps"]) {
                for kind in list(&dep["dep_kinds"]) {
                    match kind["kind"].as_str() {
                        None => package.normal.insert(text(&dep["pkg"])),
                        Some("build") => package.build.insert(text(&dep["pkg"])),
                        Some(_) => false,
                    };
                }
            }
        }
        if packages.values().all(|p| !p.member) {
            return Err("cargo metadata names no workspace member".into());
        }
        Ok(Self { packages })
    }

    /// The packages of this workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().filter(|p| p.member)
    }

    /// The packages that `package` names as normal dependencies.
    pub(crate) fn direct<'a>(&'a self, package: &'a Package) -> impl Iterator<Item = &'a Package> {
        package.normal.iter().filter_map(|id| self.packages.get(id))
    }

    /// Everything that normal dependencies (and, if asked, build dependencies) reach from
    /// `package`.
    pub(crate) fn reach<'a>(&'a self, package: &'a Package, with_build: bool) -> Vec<&'a Package> {
        let mut seen = BTreeSet::new();
        let mut open = vec![package];
        while let Some(at) = open.pop() {
            let build = at.build.iter().filter(|_| with_build);
            for id in at.normal.iter().chain(build) {
                if seen.insert(id) {
                    open.extend(self.packages.get(id));
                }
            }
        }
        seen.into_iter().filter_map(|id| self.packages.get(id)).collect()
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A graph for tests: `(name, manifest, dependencies)`; a name with `*` before it is no member.
#[cfg(test)]
pub(crate) fn sample(packages: &[(&str, &str, &[&str])]) -> Graph {
    let packages = packages.iter().map(|(name, manifest, deps)| {
        let bare = name.trim_start_matches('*');
        let package = Package {
            name: bare.to_owned(),
            version: "1.0.0".to_owned(),
            license: Some("MIT".to_owned()),
            rust_version: None,
            manifest: (*manifest).to_owned(),
            member: *name == bare,
            normal: deps.iter().map(|d| (*d).to_owned()).collect(),
            build: BTreeSet::new(),
        };
        (bare.to_owned(), package)
    });
    Graph { packages: packages.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{
        "workspace_root": "/r", "workspace_members": ["a#1"],
        "packages": [
            {"id": "a#1", "name": "a", "version": "1.0.0", "license": "MIT", "manifest_path": "/r/pure/a/Cargo.toml"},
            {"id": "b#1", "name": "b", "version": "2.0.0", "license": null, "rust_version": "1.85", "manifest_path": "/c/b/Cargo.toml"},
            {"id": "c#1", "name": "c", "version": "2.0.0", "license": null, "manifest_path": "/c/c/Cargo.toml"},
            {"id": "d#1", "name": "d", "version": "2.0.0", "license": null, "manifest_path": "/c/d/Cargo.toml"}],
        "resolve": {"nodes": [
            {"id": "a#1", "deps": [
                {"pkg": "b#1", "dep_kinds": [{"kind": null}, {"kind": "dev"}]},
                {"pkg": "d#1", "dep_kinds": [{"kind": "dev"}]}]},
            {"id": "b#1", "deps": [{"pkg": "c#1", "dep_kinds": [{"kind": "build"}]}]}]}}"#;

    #[test]
    fn kinds_are_kept_apart() {
        let graph = Graph::parse(SMALL).unwrap();
        let a = graph.members().next().unwrap();
        assert_eq!((a.name.as_str(), a.manifest.as_str()), ("a", "pure/a/Cargo.toml"));
        let names = |list: Vec<&Package>| list.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(graph.direct(a).collect()), ["b"]);
        assert_eq!(
            (&a.rust_version, &graph.packages["b#1"].rust_version.as_deref()),
            (&None, &Some("1.85"))
        );
        assert_eq!(names(graph.reach(a, false)), ["b"]);
        assert_eq!(names(graph.reach(a, true)), ["b", "c"]);
    }

    #[test]
    fn nonsense_is_an_error() {
        assert!(Graph::parse("{").is_err());
        assert!(Graph::parse("{}").is_err());
    }
}
