//! Whether the database is sound in itself.

use super::{Error, Examination, Message, Section};

pub(super) async fn look(exam: &mut Examination<'_>) -> Result<(), Error> {
    let store = exam.services.store();
    let mut wrong =
        if exam.order.verify { store.check_integrity_in_full().await? } else { store.check_integrity().await? };
    wrong.extend(store.check_references().await?);
    for said in wrong {
        let message = Message::new("doctor-database-damaged").with("said", said);
        exam.found(Section::Database, message, Message::new("remedy-restore-database"));
    }
    exam.looked(Section::Database, Message::new("doctor-database"));
    Ok(())
}
