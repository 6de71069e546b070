//! AVIF files of views, as libheif reads them, against the same views in formats without loss.

use std::path::{Path, PathBuf};

use super::super::*;
use super::serve::Bench;
use super::support::*;

/// What another program reads, in a file without loss.
fn read(bench: &Bench, file: &Path) -> PathBuf {
    let out = bench.shop.file(&bench.name("png"));
    run("heif-convert", &["--quiet", path(file), path(&out)]);
    out
}

fn bytes(file: &Path) -> u64 {
    std::fs::metadata(file).unwrap().len()
}

#[test]
fn size_and_colours_are_those_of_the_same_view_in_other_formats() {
    let bench = Bench::with("Ångström.jpg", 400);
    // A red edge at full resolution and at half are two things.
    for (commands, in_jpeg) in [
        ("wid=301&hei=203&fit=crop", 3.0),
        ("", 3.0),
        ("wid=64&rotate=30&bgc=200,30,40", 6.0),
        ("wid=200&op_invert=1", 3.0),
    ] {
        let seen = read(&bench, &bench.view(&format!("fmt=avif&{commands}")));
        bench.alike(&seen, &bench.view(&format!("fmt=png&{commands}")), 3.0, commands);
        bench.alike(&seen, &bench.view(&format!("fmt=jpeg&{commands}")), in_jpeg, commands);
    }
    for side in 1..=9 {
        let commands = format!("wid={side}&hei={}&fit=stretch", 10 - side);
        let seen = read(&bench, &bench.view(&format!("fmt=avif&{commands}")));
        // Of few pixels one that is far from the others counts for much.
        bench.alike(&seen, &bench.view(&format!("fmt=png&{commands}")), 10.0, &commands);
    }
}

#[test]
fn quality_costs_bytes_and_takes_loss_away() {
    let bench = Bench::with("Ångström.jpg", 400);
    let plain = bench.view("fmt=png&wid=300");
    let made = [1, 30, 60, 90, 100].map(|quality| {
        let file = bench.view(&format!("fmt=avif&wid=300&qlt={quality}"));
        (bytes(&file), bench.error_between(&read(&bench, &file), &plain))
    });
    assert!(made.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 > pair[1].1), "{made:?}");
    assert!(made[4].1 < 0.8, "{made:?}");
}

#[test]
fn transparency_is_kept() {
    let bench = Bench::with("商品-001.png", 300);
    let expected = bench.shop.pixels(path(&bench.view("fmt=png-alpha"))).visible();
    let seen = bench.shop.pixels(path(&read(&bench, &bench.view("fmt=avif-alpha"))));
    assert_eq!(seen.bands, 4);
    let error = seen.visible().mean_error(&expected);
    assert!(error < 2.0, "{error}");
    let alpha = |file: &Path| bench.shop.vips("extract_band", file, &bench.name("v"), &["3"]);
    let rough = read(&bench, &bench.view("fmt=avif-alpha&qlt=20"));
    bench.alike(&alpha(&rough), &alpha(&bench.view("fmt=png-alpha")), 0.5, "whatever the quality");
    bench.alike(&read(&bench, &bench.view("fmt=avif")), &bench.view("fmt=png"), 2.0, "on a background");
    let mask = read(&bench, &bench.view("req=mask&fmt=avif"));
    let gray = bench.shop.vips("extract_band", &mask, &bench.name("v"), &["1"]);
    bench.alike(&gray, &bench.view("req=mask&fmt=png"), 2.0, "the mask");
    // Without anything transparent there is none.
    let opaque = Bench::with("Ångström.jpg", 100);
    let seen = read(&opaque, &opaque.view("fmt=avif-alpha"));
    assert_eq!(opaque.shop.pixels(path(&seen)).bands, 3);
}

#[test]
fn a_profile_stands_in_the_file_and_says_what_colours_are() {
    for (ending, alpha) in [("Ångström.jpg", ""), ("商品-001.png", "-alpha")] {
        let bench = Bench::with(ending, 300);
        let pixels = |file: &Path| {
            let pixels = bench.shop.pixels(path(file));
            if alpha.is_empty() { pixels } else { pixels.visible() }
        };
        let srgb = pixels(&bench.view(&format!("fmt=png{alpha}")));
        let file = bench.view(&format!("fmt=avif{alpha}&icc=ProPhoto%20RGB&iccEmbed=1&qlt=95"));
        let seen = read(&bench, &file);
        assert!(run("vipsheader", &["-a", path(&seen)]).contains("icc-profile-data"), "{ending}");
        let back =
            bench.shop.vips("icc_transform", &seen, &bench.name("v"), &["srgb", "--embedded", "--intent", "relative"]);
        let error = pixels(&back).mean_error(&srgb);
        assert!(error < 2.5, "{ending}: {error}");
        assert!(run("exiftool", &["-ICC_Profile:ProfileDescription", path(&file)]).contains("ProPhoto"), "{ending}");
        let silent = bench.view(&format!("fmt=avif{alpha}&icc=ProPhoto%20RGB"));
        assert!(!run("vipsheader", &["-a", path(&read(&bench, &silent))]).contains("icc-profile-data"), "{ending}");
        assert!(run("heif-info", &[path(&file)]).contains("primary"), "{ending}");
    }
}

#[test]
fn more_memory_than_there_is_for_a_picture_is_not_taken() {
    let bench = Bench::with("Ångström.jpg", 400);
    let limits = Limits { max_memory: 3 << 20, ..Limits::default() };
    assert!(bench.try_view("fmt=png", &limits).is_ok());
    let refused = bench.try_view("fmt=avif", &limits).unwrap_err().to_string();
    assert!(refused.starts_with("encoding it as AVIF takes "), "{refused}");
}
