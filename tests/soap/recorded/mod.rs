//! Requests and answers of every operation in three versions of the API, and the mails and published files that come of them,
//! as the program has once given them. They are the same after every change of what lies below; one that is meant shows in the
//! recordings (`INSTA_UPDATE=always` writes them anew), which say what it does to clients.

mod chapters;
mod tape;

use prepress::model::role::Role;
use prepress::transport::soap::operations::NAMES;

use crate::server::Server;
use crate::upload_file::png;
use crate::{ADA, NEWEST, OLDEST};
use tape::Tape;

/// Who may create fields.
const ROOT: &str = "root@acme.example";

/// The version that is used most by clients of its time.
const MIDDLE: &str = "http://www.scene7.com/IpsApi/xsd/2010-01-31";

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_documented_version_answers_as_it_did() {
    play(NEWEST, "2014-04-03").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_of_2010_answers_as_it_did() {
    play(MIDDLE, "2010-01-31").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unversioned_namespace_answers_as_it_did() {
    play(OLDEST, "xsd").await;
}

async fn play(namespace: &'static str, name: &'static str) {
    let server = studio().await;
    let mut tape = Tape::new(&server, namespace, name);
    chapters::accounts(&mut tape).await;
    chapters::folders(&mut tape).await;
    chapters::jobs(&mut tape).await;
    chapters::schedules(&mut tape).await;
    if namespace == NEWEST {
        chapters::commands(&mut tape).await;
    }
    chapters::assets(&mut tape).await;
    chapters::formats(&mut tape).await;
    chapters::sets(&mut tape).await;
    chapters::properties(&mut tape).await;
    chapters::metadata(&mut tape).await;
    chapters::publishing(&mut tape).await;
    chapters::trash(&mut tape).await;
    let asked = tape.asked().clone();
    let missed: Vec<&str> = NAMES.iter().copied().filter(|name| !asked.contains(*name)).collect();
    assert!(missed.is_empty(), "not recorded: {missed:?}");
    chapters::faults(&mut tape).await;
    tape.mails();
    tape.manifests();
    server.shut_down().await;
}

/// A daemon that does its work, one thing after the other, with pictures to take in.
async fn studio() -> Server {
    let one = std::num::NonZeroU32::MIN;
    let server = Server::start_with(None, |config| {
        config.dispatch.slots = Some(one);
        config.mail.from = "Studio <studio@acme.example>".to_owned();
    })
    .await;
    server.company("Acme", 47).await;
    server.company("Other", 48).await;
    server.user(ADA, "Acme", Role::IpsCompanyAdmin).await;
    server.user(ROOT, "Acme", Role::IpsAdmin).await;
    for (place, bytes) in [
        ("shoe/shoe.png", png(1)),
        ("boot/boot.png", png(2)),
        ("clog/clog.png", png(3)),
        ("broken/worn.jpg", b"\xff\xd8\xff\xe0 not a picture".to_vec()),
        ("broken/notes.xyz", b"\x00\x01\x02 nothing that is known".to_vec()),
    ] {
        let file = server.data().join("ingest/Acme").join(place);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
    server
}
