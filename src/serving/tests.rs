use super::*;

fn no_formats(_: &str) -> Option<String> {
    None
}

fn read(text: &str) -> Resolved {
    resolve(text, None, &no_formats).unwrap_or_else(|bad| panic!("{text}: {bad}"))
}

fn commands(text: &str) -> Commands {
    let read = read(text);
    assert_eq!(read.ignored, [], "{text}");
    read.commands
}

#[track_caller]
fn refused(text: &str, command: &str) -> String {
    let bad = resolve(text, None, &no_formats).expect_err(text);
    assert_eq!(bad.command, command, "{text}: {bad}");
    bad.rule
}

#[test]
fn nothing_asked_is_a_plain_jpeg() {
    assert_eq!(commands(""), Commands::default());
    assert_eq!(Commands::default().fmt.format, FileFormat::Jpeg);
}

#[test]
fn every_command_is_read() {
    let read = commands(
        "wid=400&HEI=300&scl=2.5&fit=crop,1&align=-1,0.5&crop=-10,0,500,400&rgn=1,2,3,4&rotate=-30&flip=lrud\
         &fmt=tif-alpha,gray,lzw&qlt=60,1&bgc=255,128,0&op_sharpen=1&op_usm=1.5,2,10,1&resMode=bicub\
         &icc=Adobe%20RGB%20(1998),perceptual,1,0&iccEmbed=1&printRes=300&pscan=4&req=img",
    );
    assert_eq!((read.wid, read.hei, read.scl), (Some(400), Some(300), Some(2.5)));
    assert_eq!(read.fit, Some(Fit { mode: FitMode::Crop, upscale: true }));
    assert_eq!(read.align, (-1.0, 0.5));
    assert_eq!(read.crop, Some(Crop::Pixels(Region { x: -10, y: 0, width: 500, height: 400 })));
    assert_eq!(read.rgn, Some(Region { x: 1, y: 2, width: 3, height: 4 }));
    assert_eq!(read.rotate.degrees(), 330.0);
    assert_eq!(read.flip, Flip { left_right: true, up_down: true });
    let fmt =
        Output { format: FileFormat::Tiff, alpha: true, pixels: Some(PixelType::Gray), compression: Compression::Lzw };
    assert_eq!(read.fmt, fmt);
    assert_eq!(read.qlt, Quality { value: 60, full_chroma: true });
    assert_eq!(read.bgc, Some(Color::Rgb([255, 128, 0])));
    assert!(read.op_sharpen && read.icc_embed);
    let mask = UnsharpMask { amount: 1.5, radius: 2.0, threshold: 10, monochrome: true, scales: true };
    assert_eq!(read.op_usm, Some(mask));
    assert_eq!(read.res_mode, ResMode::Bicub);
    let icc = IccTarget { profile: "Adobe RGB (1998)".into(), intent: Intent::Perceptual, black_point: Some(true) };
    assert_eq!(read.icc, Some(icc));
    assert_eq!((read.print_res, read.pscan), (Some(300.0), Some(4)));
    let crop = commands("cropN=.2,.3,.8,.9").crop;
    assert_eq!(crop, Some(Crop::Normalized { x: 0.2, y: 0.3, width: 0.8, height: 0.9 }));
    assert!(!commands("op_usmR=1,3").op_usm.unwrap().scales);
}

#[test]
fn loss_is_seen_where_the_file_adds_none() {
    for text in
        ["fmt=png", "fmt=png-alpha", "fmt=tif", "fmt=tif,,lzw", "fmt=webp,,lossless", "fmt=gif", "qlt=95", "qlt=100"]
    {
        assert!(commands(text).keeps_all(), "{text}");
    }
    for text in ["", "qlt=94", "fmt=pjpeg", "fmt=tif,,jpeg", "fmt=webp", "fmt=webp&qlt=60"] {
        assert!(!commands(text).keeps_all(), "{text}");
    }
    assert!(commands("fmt=tif,,jpeg&qlt=95").keeps_all());
}

#[test]
fn spelling_is_forgiving() {
    for text in ["&fmt=png", "?fmt=png", " fmt = PNG &", "fmt=jpeg&FMT=png", "&.made 2026&fmt=p%6eg", "\nfmt=png,,\n"] {
        assert_eq!(commands(text).fmt.format, FileFormat::Png, "{text:?}");
    }
    assert_eq!(commands("op_usm=0.0,0.0,0,0").op_usm, None);
    let recorded = "wid=400&hei=400&fmt=jpeg&qlt=75&op_sharpen=0& \n resMode=bicub&op_usm=0.0,0.0,0,0&iccEmbed=0 \n";
    assert_eq!(commands(recorded).res_mode, ResMode::Bicub);
}

/// What has no effect, with the reasons.
fn ignored(text: &str) -> Vec<(String, Why)> {
    read(text).ignored.into_iter().map(|Ignored { command, why }| (command, why)).collect()
}

#[test]
fn what_is_not_carried_out_is_noted_once() {
    let expected =
        |names: &[(&str, Why)]| names.iter().map(|(name, why)| ((*name).to_owned(), *why)).collect::<Vec<_>>();
    let (not, unknown) = (Why::NotSupported, Why::Unknown);
    assert_eq!(
        ignored("layer=1&wid=10&text=a&$price=5&layer=comp&widht=3&req=tmb&op_noise=4"),
        expected(&[
            ("layer", not),
            ("text", not),
            ("$price", not),
            ("widht", unknown),
            ("req", not),
            ("op_noise", not)
        ])
    );
    assert_eq!(read("layer=1&wid=10").commands.wid, Some(10));
    assert_eq!(ignored("icc=sRGB,relative,0,1"), expected(&[("icc (dithering)", not)]));
    assert_eq!(ignored("req=nonsense"), expected(&[("req", unknown)]));
    assert_eq!(ignored("sizeN=0.5,0.5"), expected(&[("sizen", not)]), "the reference has it for other layers only");
}

#[test]
fn what_the_file_has_no_place_for_is_noted() {
    for text in [
        "fmt=png&jpegSize=10",
        "fmt=jpeg&quantize=web",
        "fmt=png&xmpEmbed=1",
        "req=mask&bgc=0,0,0",
        "req=mask&icc=sRGB",
        "req=mask&iccEmbed=1",
        "fmt=gif&iccEmbed=1",
        "fmt=gif&printRes=72",
        "fmt=webp&printRes=72",
    ] {
        assert!(matches!(&ignored(text)[..], [(_, Why::NoPlace)]), "{text}: {:?}", ignored(text));
    }
    for text in [
        "jpegSize=10",
        "fmt=png8&quantize=web",
        "fmt=gif&quantize=mac",
        "xmpEmbed=1",
        "fmt=tif&xmpEmbed=1",
        "fmt=png&xmpEmbed=0",
        "fmt=gif&iccEmbed=0",
        "fmt=png8&iccEmbed=1&printRes=72",
        "fmt=webp&iccEmbed=1",
    ] {
        assert_eq!(ignored(text), [], "{text}");
    }
}

#[test]
fn commands_are_taken_apart_before_they_are_decoded() {
    assert_eq!(ignored("wid%3D200&hei=5"), [("wid%3d200".to_owned(), Why::Encoded)]);
    assert_eq!(ignored("wid=5&wid%3D200%26fmt%3Dpng")[0].1, Why::Encoded);
    assert_eq!(read("hei=5&wid%3D200").commands.wid, None);
    // Within a value they are signs of it.
    assert_eq!(commands("icc=A%26B%3DC").icc.unwrap().profile, "A&B=C");
    assert!(refused("wid=200%26fmt%3Dpng", "wid").contains("200&fmt=png"));
}

#[test]
fn commands_of_layer_and_view_are_read() {
    let read =
        commands("size=200,0&extend=1,-2,3,4&bgColor=10,20,30,128&rect=-5,6,70,80,0.5&req=mask&jpegSize=12&xmpEmbed=1");
    assert_eq!(read.layer_size(), Some(LayerSize::Within { width: Some(200), height: None }));
    assert_eq!(read.extend, Some(Extend::Pixels(Sides { left: 1, top: -2, right: 3, bottom: 4 })));
    assert_eq!(read.bg_color, Some(Fill { color: Color::Rgb([10, 20, 30]), alpha: 128 }));
    assert_eq!(read.rect, Some(Rect { x: -5, y: 6, width: 70, height: 80, scale: 0.5 }));
    assert_eq!((read.request, read.jpeg_size, read.xmp_embed), (Request::Mask, Some(12), true));
    assert_eq!(commands("size=0,0").layer_size(), None);
    assert_eq!(commands("rect=1,2,3,4").rect.unwrap().scale, 1.0);
    assert_eq!(commands("jpegSize=0").jpeg_size, None);
    // size beats scale, and scale beats res, wherever they stand.
    let size = |text: &str| commands(text).layer_size();
    assert_eq!(size("res=72&scale=2"), Some(LayerSize::Times(2.0)));
    assert_eq!(size("scale=2&res=72"), Some(LayerSize::Times(2.0)));
    assert_eq!(size("res=72"), Some(LayerSize::Resolution(72.0)));
    assert!(matches!(size("size=5,5&scale=2&res=72"), Some(LayerSize::Within { .. })));
    let extend = commands("extendN=0.1,0,-0.25,1").extend;
    assert_eq!(extend, Some(Extend::Normalized(Sides { left: 0.1, top: 0.0, right: -0.25, bottom: 1.0 })));
    let alpha = |text: &str| commands(&format!("bgColor={text}")).bg_color.unwrap().alpha;
    let alphas = ["a0b1c2d3R", "50,75g", "0xddeegs", "22,23,24,25,26KS", "0x0a0b0C0d0eks", "112233", "50", "1,2,3,4k"]
        .map(alpha);
    assert_eq!(alphas, [211, 191, 0xee, 66, 14, 255, 255, 255]);
}

#[test]
fn adjustments_are_read() {
    let read = commands(
        "op_brightness=-100&op_contrast=+20&op_saturation=5&op_hue=-180&op_invert=1&op_blur=2.5&op_colorize=a0b0c0,norm,50",
    );
    let colorize = Some(Colorize { color: [0xa0, 0xb0, 0xc0], norm: Some(Norm { contrast: 50.0 }) });
    let expected =
        Adjustments { brightness: -100, contrast: 20, saturation: 5, hue: -180, invert: true, colorize, blur: 2.5 };
    assert_eq!(read.adjust, expected);
    assert!(!commands("op_brightness=0&op_contrast=0&op_hue=0&op_blur=0&op_invert=0").adjust.is_some());
    let colorize = |text: &str| commands(&format!("op_colorize={text}")).adjust.colorize.unwrap();
    assert_eq!(colorize("200,0,1,off"), Colorize { color: [200, 0, 1], norm: None });
    assert_eq!(colorize("200,0,1"), Colorize { color: [200, 0, 1], norm: Some(Norm { contrast: 0.0 }) });
    assert_eq!(colorize("ff0000,OFF,10").norm, None, "the contrast is ignored then");
}

#[test]
fn palettes_are_read() {
    let quantize = |text: &str| commands(&format!("fmt=gif&quantize={text}")).quantize.unwrap();
    let forced = vec![[0; 3], [255; 3]];
    assert_eq!(
        quantize("adaptive,off,2,000000,ffffff"),
        Quantize { palette: Palette::Adaptive { count: 2, forced }, diffuses: false }
    );
    assert_eq!(quantize("web"), Quantize { palette: Palette::Web, diffuses: true });
    assert_eq!(quantize("Mac,Diffuse"), Quantize { palette: Palette::Mac, diffuses: true });
    assert_eq!(quantize("adaptive"), Quantize::default());
    let png8 = commands("fmt=png8-alpha").fmt;
    assert_eq!((png8.format, png8.alpha, png8.format.extension()), (FileFormat::Png8, true, "png"));
}

#[cfg(not(feature = "avif"))]
#[test]
fn a_format_of_other_builds_is_told_as_one() {
    for name in ["avif", "AVIF-alpha"] {
        let bad = resolve(&format!("wid=10&fmt={name}"), None, &|_| None).unwrap_err().to_string();
        let why = format!(
            "fmt: the format {name} is not supported by this build, which was made without the feature avif; it must be one of jpeg, "
        );
        assert!(bad.starts_with(&why) && !bad.contains("gif-alpha, avif"), "{bad}");
    }
    let bad = resolve("fmt=heic", None, &|_| None).unwrap_err().to_string();
    assert!(bad.starts_with("fmt: the format heic is not supported; it must be one of jpeg, "), "{bad}");
}

#[cfg(feature = "avif")]
#[test]
fn avif_is_read_with_its_transparency() {
    let avif = commands("fmt=avif-alpha,rgb").fmt;
    assert_eq!((avif.format, avif.alpha, avif.format.extension()), (FileFormat::Avif, true, "avif"));
    assert!(!commands("fmt=avif").fmt.alpha);
    assert!(commands("fmt=avif&qlt=95").keeps_all() && !commands("fmt=avif&qlt=94").keeps_all());
    assert!(resolve("fmt=avif,cmyk", None, &|_| None).is_err());
}

#[test]
fn bad_values_name_their_command() {
    for (text, command) in [
        ("wid=0", "wid"),
        ("wid=-5", "wid"),
        ("wid=12.5", "wid"),
        ("wid=65536", "wid"),
        ("wid=", "wid"),
        ("wid", "wid"),
        ("hei=1,2", "hei"),
        ("scl=0", "scl"),
        ("scl=NaN", "scl"),
        ("scl=inf", "scl"),
        ("wid=1&fit=zoom", "fit"),
        ("wid=1&fit=crop,2", "fit"),
        ("fit=crop", "fit"),
        ("align=0", "align"),
        ("align=0,2", "align"),
        ("crop=0,0,10", "crop"),
        ("crop=0,0,0,10", "crop"),
        ("cropN=0,0,0,1", "cropn"),
        ("cropN=0,0,1,1,1", "cropn"),
        ("rgn=a,0,1,1", "rgn"),
        ("rotate=left", "rotate"),
        ("flip=x", "flip"),
        ("fmt=heic", "fmt"),
        ("fmt=", "fmt"),
        ("fmt=png,cmyk", "fmt"),
        ("fmt=webp,gray", "fmt"),
        ("fmt=tif-alpha,,jpeg", "fmt"),
        ("fmt=jpeg,,lzw", "fmt"),
        ("fmt=webp,,zip", "fmt"),
        ("qlt=0", "qlt"),
        ("qlt=750", "qlt"),
        ("qlt=80,2", "qlt"),
        ("bgc=256,0,0", "bgc"),
        ("bgc=red", "bgc"),
        ("op_sharpen=2", "op_sharpen"),
        ("op_usm=6", "op_usm"),
        ("op_usm=1,251", "op_usm"),
        ("op_usm=1,2,256", "op_usm"),
        ("op_usm=1,2,3,4", "op_usm"),
        ("op_usmR=,1", "op_usmr"),
        ("resMode=nearest", "resmode"),
        ("icc=", "icc"),
        ("icc=sRGB,warm", "icc"),
        ("icc=sRGB,relative,2", "icc"),
        ("icc=sRGB,relative,1,x", "icc"),
        ("iccEmbed=yes", "iccembed"),
        ("printRes=0", "printres"),
        ("pscan=6", "pscan"),
        ("fmt=pdf", "fmt"),
        ("fmt=png8,gray", "fmt"),
        ("size=100", "size"),
        ("size=-1,5", "size"),
        ("size=65536,0", "size"),
        ("scale=0", "scale"),
        ("scale=-1", "scale"),
        ("res=0", "res"),
        ("res=a", "res"),
        ("rect=0,0,10", "rect"),
        ("rect=0,0,0,10", "rect"),
        ("rect=0,0,10,10,0", "rect"),
        ("rect=0,0,10,65536", "rect"),
        ("extend=1,2,3", "extend"),
        ("extend=1.5,2,3,4", "extend"),
        ("extendN=a,2,3,4", "extendn"),
        ("bgColor=red", "bgcolor"),
        ("quantize=best", "quantize"),
        ("quantize=web,on", "quantize"),
        ("quantize=adaptive,off,1", "quantize"),
        ("quantize=adaptive,off,257", "quantize"),
        ("quantize=adaptive,off,2,000000,ffffff,ff0000", "quantize"),
        ("quantize=adaptive,off,2,0x0000", "quantize"),
        ("fmt=gif-alpha&quantize=mac", "quantize"),
        ("fmt=png8-alpha&quantize=mac", "quantize"),
        ("jpegSize=-1", "jpegsize"),
        ("jpegSize=1.5", "jpegsize"),
        ("op_brightness=101", "op_brightness"),
        ("op_contrast=-101", "op_contrast"),
        ("op_saturation=1.5", "op_saturation"),
        ("op_hue=181", "op_hue"),
        ("op_blur=101", "op_blur"),
        ("op_blur=-1", "op_blur"),
        ("op_invert=2", "op_invert"),
        ("op_colorize=50g", "op_colorize"),
        ("op_colorize=red", "op_colorize"),
        ("op_colorize=ff0000,norm,101", "op_colorize"),
        ("op_colorize=ff0000,norm,1,2", "op_colorize"),
        ("xmpEmbed=yes", "xmpembed"),
        ("wid=%ff", "wid"),
        ("$none$", "$none$"),
    ] {
        refused(text, command);
    }
    assert_eq!(
        refused("qlt=750", "qlt"),
        "the quality must be a whole number from 1 to 100, not \"750\"",
        "says what is right and what was sent"
    );
    assert!(refused(&"a=1&".repeat(3000), "the whole").contains("8192"));
}

#[test]
fn colours_come_in_many_forms() {
    for (text, color) in [
        ("0,100,200", Color::Rgb([0, 100, 200])),
        ("0,100,200,200rs", Color::Rgb([0, 100, 200])),
        ("0x010203S", Color::Rgb([1, 2, 3])),
        ("a0b1c2d3R", Color::Rgb([160, 177, 194])),
        ("100S", Color::Gray(255)),
        ("50,75g", Color::Gray(128)),
        ("0X70G", Color::Gray(0x70)),
        ("0xddeegs", Color::Gray(0xdd)),
        ("94,11,50,33k", Color::Cmyk([240, 28, 128, 84])),
        ("22,23,24,25,26KS", Color::Cmyk([56, 59, 61, 64])),
        ("38393A3bK", Color::Cmyk([0x38, 0x39, 0x3a, 0x3b])),
        ("0x0a0b0C0d0eks", Color::Cmyk([10, 11, 12, 13])),
        ("112233", Color::Rgb([0x11, 0x22, 0x33])),
    ] {
        assert_eq!(commands(&format!("bgc={text}")).bgc, Some(color), "{text}");
    }
    for text in ["", "101g", "0,101", "1,2,3,4,5", "0x12345", "12g4", "0xg", "1,2,3k", "0xé0000", "ééé"] {
        refused(&format!("bgc={text}"), "bgc");
    }
    assert_eq!(Color::Cmyk([0, 255, 255, 0]).rgb(), [255, 0, 0]);
    assert_eq!(Color::Rgb([255, 0, 0]).cmyk(), [0, 255, 255, 0]);
    assert_eq!(Color::Rgb([0, 0, 0]).cmyk(), [0, 0, 0, 255]);
    assert_eq!(Color::Rgb([255, 255, 255]).gray(), 255);
}

#[test]
fn image_formats_stand_for_their_commands() {
    let formats = |name: &str| match name.to_ascii_lowercase().as_str() {
        "test" => Some("fmt=tif&wid=100&qlt=20".to_owned()),
        "nested" => Some("$test$&wid=50".to_owned()),
        "my format" => Some("hei=7".to_owned()),
        "loop" => Some("$loop$".to_owned()),
        "bad" => Some("qlt=750".to_owned()),
        _ => None,
    };
    let read = |modifier: &str, preset: Option<&str>| resolve(modifier, preset, &formats);
    for preset in ["$test$", "test", "$TEST$"] {
        let commands = read("&fmt=png&wid=200", Some(preset)).unwrap().commands;
        assert_eq!(commands.fmt.format, FileFormat::Tiff, "the preset's format beats the modifier's");
        assert_eq!((commands.wid, commands.qlt.value), (Some(200), 20), "else the modifier comes last");
    }
    let commands = read("wid=300&$nested$&hei=5", None).unwrap().commands;
    assert_eq!((commands.wid, commands.hei, commands.qlt.value), (Some(50), Some(5), 20));
    assert_eq!(read("$My%20Format$", None).unwrap().commands.hei, Some(7));
    let preset_without_format = read("fmt=png", Some("my format")).unwrap().commands;
    assert_eq!(preset_without_format.fmt.format, FileFormat::Png);
    assert_eq!(read("", Some("loop")).unwrap_err().command, "$loop$");
    assert_eq!(read("", Some("bad")).unwrap_err().command, "qlt");
    assert_eq!(read("", Some("gone")).unwrap_err().command, "$gone$");
}
