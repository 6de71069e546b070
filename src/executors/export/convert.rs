//! A file that is converted: drawn from the asset's pyramid. Where the file itself has no loss, or hardly any, and the pyramid
//! has, it is drawn from a pyramid without loss that is made of the master for this alone, as the asset's own was made: by the
//! same code, with the same crop, knockout and colours, so that everything lies at the same place. So it is where the asset's pyramid was
//! made with other settings than there are now, or another colour profile. A master of which none can be made leaves the asset's
//! pyramid, and a line that says so.
//!
//! An XMP packet is that of the original, as it is.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::Made;
use super::order::Conversion;
use super::plan::{Entry, Master};
use crate::assets::blobs::{BlobError, Draft};
use crate::assets::exports::ExportFiles;
use crate::executors::pictures::{self, Unmade};
use crate::executors::recipe::Recipes;
use crate::executors::settings::Room;
use crate::executors::{Bytes, Context, Failure, Workshop, pages, reason};
use crate::media::child::borrowed;
use crate::media::errand::{ReadPacket, Render, Sight, Viewed};

/// What is to be drawn, and where it goes.
#[derive(Clone)]
pub struct View {
    pub entry: Entry,
    pub conversion: Arc<Conversion>,
    pub files: ExportFiles,
    /// The packet that goes into the file.
    pub xmp: Option<Arc<File>>,
}

/// Draws it, and puts it beside the others.
pub async fn converted(workshop: &Workshop, context: &Context, view: View) -> Result<Made, Unmade> {
    let (files, asset) = (view.files.clone(), view.entry.asset);
    let Drawn { made, draft } = drawn_as_asked(workshop, context, view).await?;
    let place = move |_: &dyn Fn() -> bool| {
        files.keep_part(asset, |mut part| {
            let mut drawn = File::open(draft.path()).map_err(BlobError::Source)?;
            io::copy(&mut drawn, &mut part).map_err(|error| Failure::of_io(&error, &error))?;
            Ok(made)
        })
    };
    workshop.export_mount().work(place).await?
}

/// A view in the store of files, where it is in nobody's way: where exports lie may hang.
struct Drawn {
    made: Made,
    draft: Draft,
}

async fn drawn_as_asked(workshop: &Workshop, context: &Context, view: View) -> Result<Drawn, Unmade> {
    let Some(master) = view.entry.master.clone() else { return of_pyramid(workshop, context, view).await };
    if !view.conversion.commands.takes_xmp() {
        return drawn(workshop, context, view, master).await;
    }
    match packet(workshop, context, &view, master.clone()).await {
        Ok(xmp) => drawn(workshop, context, View { xmp, ..view }, master).await,
        Err(Unmade::Refused(why)) => {
            let Drawn { made, draft } = drawn(workshop, context, view, master).await?;
            Ok(Drawn { made: Made { no_xmp: Some(why), ..made }, draft })
        }
        Err(failed) => Err(failed),
    }
}

/// The XMP packet of the original, if it has one.
async fn packet(
    workshop: &Workshop,
    context: &Context,
    view: &View,
    Master { blob, file_name, .. }: Master,
) -> Result<Option<Arc<File>>, Unmade> {
    let (shop, master, name) = (workshop.clone(), blob.clone(), file_name.clone());
    let step = format!("xmp {}", view.entry.key());
    let work = move |stop: &dyn Fn() -> bool| {
        shop.blobs.verify(&master, stop)?;
        let format = pictures::sniff(&shop.blobs, &master, &name)?;
        let (file, draft) = (shop.blobs.read(&master)?, shop.blobs.draft()?);
        let out = draft.writer()?;
        let has_packet = shop.crew.send(ReadPacket { format }, &borrowed([&file, &out]), stop)?;
        // It is gone with whoever holds it open.
        let packet = has_packet.then(|| File::open(draft.path()).map_err(BlobError::Source)).transpose()?;
        Ok(packet.map(Arc::new))
    };
    workshop.work_on(context, Bytes::of(&blob, &file_name).step(&step), work).await
}

async fn drawn(workshop: &Workshop, context: &Context, view: View, master: Master) -> Result<Drawn, Unmade> {
    let is_stale = view.entry.is_stale;
    if !view.conversion.commands.keeps_all() && !is_stale {
        return of_pyramid(workshop, context, view).await;
    }
    if !is_stale && let Some(made) = of_exact_pyramid(workshop, context, view.clone()).await? {
        return Ok(made);
    }
    match of_master(workshop, context, view.clone(), master).await {
        Err(Unmade::Refused(why)) => {
            let Drawn { made, draft } = of_pyramid(workshop, context, view).await?;
            let (stale, loss) = if is_stale { (Some(why), None) } else { (None, Some(why)) };
            Ok(Drawn { made: Made { stale, loss, ..made }, draft })
        }
        made => made,
    }
}

async fn of_pyramid(workshop: &Workshop, context: &Context, view: View) -> Result<Drawn, Unmade> {
    on_pyramid(workshop, context, view, |view, workshop, pyramid, stop| view.draw(workshop, pyramid, stop)).await
}

/// None: the pyramid has lost something of its picture.
async fn of_exact_pyramid(workshop: &Workshop, context: &Context, view: View) -> Result<Option<Drawn>, Unmade> {
    on_pyramid(workshop, context, view, |view, workshop, pyramid, stop| view.draw_exactly(workshop, pyramid, stop))
        .await
}

/// Draws a view of a pyramid, until somebody wants it stopped.
type Draw<T> = fn(&View, &Workshop, &File, &dyn Fn() -> bool) -> Result<T, Unmade>;

async fn on_pyramid<T: Send + 'static>(
    workshop: &Workshop,
    context: &Context,
    view: View,
    draw: Draw<T>,
) -> Result<T, Unmade> {
    let (progress, shop, entry) = (context.clone(), workshop.clone(), view.entry.clone());
    let work = move |stop: &dyn Fn() -> bool| {
        let _working = progress.working_on(&view.entry.target);
        shop.blobs.verify(&view.entry.blob, stop)?;
        let pyramid = shop.blobs.read(&view.entry.blob)?;
        draw(&view, &shop, &pyramid, stop)
    };
    workshop.work_on(context, Bytes::of(&entry.blob, &entry.target), work).await
}

/// What takes more memory than its share gets all of it.
async fn of_master(workshop: &Workshop, context: &Context, view: View, master: Master) -> Result<Drawn, Unmade> {
    for room in [Room::Share, Room::All] {
        if let Some(drawn) = of_master_in(room, workshop, context, view.clone(), &master).await? {
            return Ok(drawn);
        }
    }
    Err(Unmade::Refused(reason::other("it takes more memory than there is (media.memory)")))
}

async fn of_master_in(
    room: Room,
    workshop: &Workshop,
    context: &Context,
    view: View,
    master: &Master,
) -> Result<Option<Drawn>, Unmade> {
    let recipes = Recipes::load(context.reads(), context.run.company, workshop).await?;
    let (progress, shop) = (context.clone(), workshop.clone());
    let Master { blob, file_name, making } = master.clone();
    let step = format!("export {}", view.entry.key());
    let work = move |stop: &dyn Fn() -> bool| {
        let _working = progress.working_on(&view.entry.target);
        let pyramid = match making.page {
            Some(page) => pages::lossless(&shop, &blob, &file_name, (page, &making), room, stop)?,
            None => Some(pictures::lossless(&shop, &recipes, &blob, &file_name, &making, stop)?),
        };
        pyramid.map(|mut pyramid| view.draw(&shop, pyramid.file(), stop)).transpose()
    };
    workshop.work_in(room, context, Bytes::of(&master.blob, &master.file_name).step(&step), work).await
}

impl View {
    fn sight(&self) -> Sight<'_> {
        Sight { commands: &self.conversion.commands, profiles: self.conversion.profiles(), xmp: self.xmp.as_deref() }
    }

    fn draw(&self, workshop: &Workshop, pyramid: &File, stop: &dyn Fn() -> bool) -> Result<Drawn, Unmade> {
        let draft = workshop.blobs.draft()?;
        let out = draft.writer()?;
        let viewed = Render::send(&workshop.crew, self.sight(), (pyramid, &out), stop)?;
        Ok(Drawn { made: made(viewed), draft })
    }

    fn draw_exactly(
        &self,
        workshop: &Workshop,
        pyramid: &File,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Drawn>, Unmade> {
        let draft = workshop.blobs.draft()?;
        let out = draft.writer()?;
        let viewed = Render::send_exactly(&workshop.crew, self.sight(), (pyramid, &out), stop)?;
        Ok(viewed.map(|viewed| Drawn { made: made(viewed), draft }))
    }
}

fn made(viewed: Viewed) -> Made {
    Made { bytes: viewed.bytes, notes: viewed.notes, ..Made::default() }
}
