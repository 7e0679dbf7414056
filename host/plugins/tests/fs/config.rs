use refrain_plugins::fs::{FsConfig, FsPlugin};

#[test]
fn the_documented_table_is_read() {
    let config: FsConfig = toml::from_str(
        "[directories.source]\npath = \"/srv/documents\"\n\n\
         [directories.backups]\npath = \"/srv/backups\"\nwritable = true\n",
    )
    .unwrap();
    let directories: Vec<_> = config
        .directories
        .iter()
        .map(|(name, directory)| (name.as_str(), directory.path.to_str().unwrap(), directory.writable))
        .collect();
    assert_eq!(directories, [("backups", "/srv/backups", true), ("source", "/srv/documents", false)]);
    assert_eq!(toml::from_str::<FsConfig>("").unwrap(), FsConfig::default());
}

#[test]
fn a_misspelled_key_is_an_error_that_names_it() {
    let text = "[directories.source]\npath = \"/srv\"\nwriteable = true\n";
    let message = toml::from_str::<FsConfig>(text).unwrap_err().to_string();
    assert!(message.contains("unknown field `writeable`, expected `path` or `writable`"), "{message}");
}

#[test]
fn a_directory_that_cannot_be_opened_is_named_by_its_key() {
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [temporary.path().join("missing"), file] {
        let config: FsConfig =
            toml::from_str(&format!("[directories.source]\npath = {:?}\n", path.to_str().unwrap())).unwrap();
        let message = FsPlugin::open(&config).unwrap_err().to_string();
        assert!(message.starts_with("plugins.fs.directories.source.path: cannot open"), "{message}");
        assert!(message.contains(path.to_str().unwrap()), "{message}");
    }
}
