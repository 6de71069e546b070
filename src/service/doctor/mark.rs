//! Whether the mark beside the blobs is that of this database; and the end of a restoration, once nothing else is left.

use super::{Error, Examination, Message, Section};
use crate::service::mark::{MarkKeeper, Standing};

pub(super) async fn look(exam: &mut Examination<'_>) -> Result<(), Error> {
    let standing = exam.services.standing(&exam.places.beside()).await?;
    let wrong = match standing {
        Standing::Agrees => None,
        Standing::Unmarked => Some(Message::new("doctor-mark-missing")),
        Standing::Unreadable(why) => Some(Message::new("doctor-mark-unreadable").with("reason", why)),
        // Whoever starts on the database makes sure of both; who only looks at it leaves it as it is.
        Standing::Stranger => Some(Message::new("doctor-mark-stranger")),
        Standing::Behind => Some(Message::new("doctor-mark-ahead")),
        Standing::Unlooked(what) => Some(Message::new("doctor-mark-unlooked").with("what", what)),
    };
    if let Some(message) = wrong {
        write(exam, message).await?;
    }
    settle(exam).await?;
    exam.looked(Section::Mark, Message::new("doctor-mark"));
    Ok(())
}

async fn write(exam: &mut Examination<'_>, message: Message) -> Result<(), Error> {
    let identity = exam.services.store().identity().await?;
    let may_write = matches!(message.code.as_str(), "doctor-mark-missing" | "doctor-mark-unreadable");
    match identity.filter(|_| exam.order.repair && may_write) {
        Some(identity) => {
            MarkKeeper::new(exam.services.store().clone(), exam.places.blobs.root(), identity).keep().await?;
            exam.repaired(Section::Mark, message, Message::new("remedy-mark-written"));
        }
        None if message.code.as_str() == "doctor-mark-ahead" => {
            exam.found(Section::Mark, message, Message::new("remedy-restored"));
        }
        None if message.code.as_str() == "doctor-mark-unlooked" => {
            exam.found(Section::Mark, message, Message::new("remedy-unlooked"));
        }
        None => exam.found(Section::Mark, message, Message::new("remedy-mark")),
    }
    Ok(())
}

/// Cleanup holds until everything agrees.
async fn settle(exam: &mut Examination<'_>) -> Result<(), Error> {
    let Some(restored) = exam.services.store().restored().await? else { return Ok(()) };
    let at = restored.found_at.timestamp_millis();
    let message = match restored.seen_run {
        Some(seen) => Message::new("doctor-restored").with("run", restored.run).with("seen", seen).with("at", at),
        None if restored.has_newer_trees => Message::new("doctor-trees-newer").with("at", at),
        None => Message::new("doctor-mark-lost").with("at", at),
    };
    if exam.order.repair && exam.report.is_sound() {
        exam.services.store().settle_restoration().await?;
        exam.repaired(Section::Mark, message, Message::new("remedy-restored-settled"));
    } else {
        exam.found(Section::Mark, message, Message::new("remedy-restored"));
    }
    Ok(())
}
