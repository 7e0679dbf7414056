use refrain_plugins::http::{HttpConfig, HttpPlugin};

#[test]
fn the_documented_table_is_read() {
    let config: HttpConfig = toml::from_str(
        "allowed_hosts = [\"api.example.com\", \"*.example.org\", \"http://127.0.0.1:8080\", \"stock.internal:8443\"]\n\
         allow_private = [\"stock.internal\"]\nca_file = \"/etc/ssl/company.pem\"\n",
    )
    .unwrap();
    assert_eq!(config.allowed_hosts.len(), 4);
    assert_eq!(config.allow_private, ["stock.internal"]);
    assert_eq!(config.ca_file.unwrap().to_str(), Some("/etc/ssl/company.pem"));
    assert_eq!(toml::from_str::<HttpConfig>("").unwrap(), HttpConfig::default());
}

#[test]
fn a_misspelled_key_is_an_error_that_names_it() {
    let message = toml::from_str::<HttpConfig>("allowed_host = []").unwrap_err().to_string();
    assert!(message.contains("unknown field `allowed_host`, expected one of `allowed_hosts`"), "{message}");
}

#[test]
fn entries_and_files_that_are_of_no_use_are_named_by_their_key() {
    let temporary = tempfile::tempdir().unwrap();
    let empty = temporary.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let damaged = temporary.path().join("damaged.pem");
    std::fs::write(&damaged, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let missing = temporary.path().join("missing.pem");
    for (config, expected) in [
        (
            toml::toml! { allowed_hosts = ["example.com/v1"] },
            "plugins.http.allowed_hosts: \"example.com/v1\" ",
        ),
        (toml::toml! { allow_private = ["10.0.0.0/64"] }, "plugins.http.allow_private: \"10.0.0.0/64\" "),
    ] {
        let message = HttpPlugin::new(&config.try_into().unwrap()).unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
    }
    for path in [empty, damaged, missing] {
        let config = HttpConfig {
            allowed_hosts: vec!["example.com".to_owned()],
            ca_file: Some(path.clone()),
            ..HttpConfig::default()
        };
        let message = HttpPlugin::new(&config).unwrap_err().to_string();
        let expected = format!("plugins.http.ca_file: cannot use {path:?}: ");
        assert!(message.starts_with(&expected), "{message}\nexpected: {expected}");
    }
}
