### English. Every code of `codes.rs` has its words here; a test formats each of them.
###
### A comment above a message documents its parameters as `$name (Type) meaning`. Types:
###   Text          shown as it is, or a message of its own: {"code": "reason-empty", "params": {}}
###   Number        a count; write NUMBER($name) to group its digits
###   Bytes         a size in bytes, written SIZE($name)
###   Milliseconds  a length of time, written DURATION($name)
###   Time          an instant (RFC 3339 or milliseconds since 1970), written TIME($name, $zone)
### `$zone` is the reader's time zone and is always there.

## Numbers, sizes, durations, times

format-digit-separator = ,
format-decimal-mark = .
# $count (Number) bytes
format-size-bytes =
    { $count ->
        [one] 1 byte
       *[other] { $count } bytes
    }
# $amount (Text) kilobytes
format-size-kb = { $amount } kB
# $amount (Text) megabytes
format-size-mb = { $amount } MB
# $amount (Text) gigabytes
format-size-gb = { $amount } GB
# $amount (Text) terabytes
format-size-tb = { $amount } TB
# $milliseconds-left (Number) less than a second
format-duration-milliseconds = { $milliseconds-left } ms
# $seconds (Text) with one decimal below ten
format-duration-seconds = { $seconds } s
# $minutes (Number)
# $seconds (Number)
format-duration-minutes = { $minutes } min { $seconds } s
# $hours (Number)
# $minutes (Number)
format-duration-hours = { $hours } h { $minutes } min
# $days (Text)
# $hours (Number)
format-duration-days = { $days } d { $hours } h
# $weekday (Number) 1 is Monday
# $day (Number)
# $month (Number)
# $year (Text)
# $clock (Text) hours, minutes, seconds
# $zone-name (Text)
format-time = { format-weekday } { $day } { format-month } { $year }, { $clock } { $zone-name }
# $weekday (Number) 1 is Monday
format-weekday =
    { $weekday ->
        [1] Mon
        [2] Tue
        [3] Wed
        [4] Thu
        [5] Fri
        [6] Sat
       *[7] Sun
    }
# $month (Number)
format-month =
    { $month ->
        [1] Jan
        [2] Feb
        [3] Mar
        [4] Apr
        [5] May
        [6] Jun
        [7] Jul
        [8] Aug
        [9] Sep
        [10] Oct
        [11] Nov
       *[12] Dec
    }

## Names of things

# $kind (Text) a job type of the API
kind =
    { $kind ->
        [UploadFromServerDirectory] Upload from a server directory
        [UrlUpload] Upload from web addresses
        [UploadPost] Upload over HTTP
        [ImageServingPublish] Publish to image serving
        [ImageRenderingPublish] Publish to image rendering
        [VideoPublish] Publish of videos
        [ServerDirectoryPublish] Publish to a server directory
        [ServerDirectoryPublishWithTemplate] Publish to a server directory with templates
        [MetadataPublish] Publish of metadata
        [MetadataUpload] Upload of metadata
        [ImageOptimization] Optimization of images
        [PdfRip] Ripping of PDFs
        [ReprocessAssets] Reprocessing of assets
        [AutomatedSetGeneration] Automated set generation
        [VideoSitemap] Video site map
        [Export] Export
        [Cleanup] Cleanup
       *[other] { $kind }
    }
# $success (Number) files processed as new
# $updated (Number) files that replaced an earlier one
# $duplicates (Number) files skipped because they were there already
# $warnings (Number)
# $errors (Number)
job-counts =
    { NUMBER($success) } processed, { NUMBER($updated) } updated, { $duplicates ->
        [one] 1 duplicate
       *[other] { NUMBER($duplicates) } duplicates
    }, { $warnings ->
        [one] 1 warning
       *[other] { NUMBER($warnings) } warnings
    }, { $errors ->
        [one] 1 error
       *[other] { NUMBER($errors) } errors
    }

## Job log: facts about the job

# $name (Text) job name as submitted
original-job-name = { $name }
# $name (Text) name of the job that caused this one
initiating-job-name = { $name }
# $client (Text) host name or address of the submitter
job-client = { $client }
# $kind (Text) a job type of the API
job-type = { kind }
# $count (Number) files found
total-file-count =
    { $count ->
        [one] 1 file in total
       *[other] { NUMBER($count) } files in total
    }

# $count (Number) files found
# $parts (Number) pages, layers and renditions
total-file-count-parts =
    { $count ->
        [one] 1 file in total
       *[other] { NUMBER($count) } files in total
    }, and { $parts ->
        [one] 1 page, layer or rendition made of one
       *[other] { NUMBER($parts) } pages, layers or renditions made of them
    }

## Job log: beginning and end of each kind.
## Every end takes the counters of `job-counts`.

# $folder (Text) server directory
upload-nothing = { $folder } holds no files to upload.
# $folder (Text) server directory
# $destination (Text) target folder with the company root
begin-upload-directory = Upload of { $folder } to { $destination } begins.
# $success (Number)
# $updated (Number)
# $duplicates (Number)
# $warnings (Number)
# $errors (Number)
end-upload-directory = Upload ended: { job-counts }.
# $count (Number) addresses
begin-upload-urls =
    { $count ->
        [one] Upload of 1 web address begins.
       *[other] Upload of { NUMBER($count) } web addresses begins.
    }
# $success (Number)
# $updated (Number)
# $duplicates (Number)
# $warnings (Number)
# $errors (Number)
end-upload-urls = Upload ended: { job-counts }.
# $destination (Text) target folder with the company root
begin-upload-post = Upload over HTTP to { $destination } begins.
# $success (Number)
# $updated (Number)
# $duplicates (Number)
# $warnings (Number)
# $errors (Number)
end-upload-post = Upload ended: { job-counts }.
# $success (Number)
# $updated (Number)
# $duplicates (Number)
# $warnings (Number)
# $errors (Number)
# $left-out (Number)
end-upload-left-out =
    Upload ended: { job-counts }. { $left-out ->
        [one] 1 of the duplicates was left out although nothing with its content is stored
       *[other] { NUMBER($left-out) } of the duplicates were left out although nothing with their content is stored
    }: assets with other content have the name.
# $processed (Number) items
end-failed =
    Ended, because the job failed{ $processed ->
        [0] {""}
        [one] ; 1 item had been processed before
       *[other] ; { NUMBER($processed) } items had been processed before
    }.
begin-optimize = Optimization begins.
# $success (Number)
# $updated (Number)
# $duplicates (Number)
# $warnings (Number)
# $errors (Number)
end-optimize = Optimization ended: { job-counts }.
# $publish-type (Text) Full, FullWithSearch or Incremental
# $context (Text) publish context
begin-image-serving-publish =
    { $publish-type ->
        [Full] Full publish to { $context } begins.
        [FullWithSearch] Full publish with search data to { $context } begins.
        [Incremental] Incremental publish to { $context } begins.
       *[other] Publish ({ $publish-type }) to { $context } begins.
    }
# $success (Number)
# $updated (Number)
# $duplicates (Number)
# $warnings (Number)
# $errors (Number)
end-image-serving-publish = Publish ended: { job-counts }.
# $context (Text) publish context
begin-image-serving-publish-cleanup = Removal of unpublished files from { $context } begins.
# $count (Number) files removed
end-image-serving-publish-cleanup =
    { $count ->
        [0] Nothing had to be removed.
        [one] 1 file was removed.
       *[other] { NUMBER($count) } files were removed.
    }
# $context (Text) publish context
begin-image-rendering-publish = Publish to { $context } begins.
# $success (Number)
# $updated (Number)
# $duplicates (Number)
# $warnings (Number)
# $errors (Number)
end-image-rendering-publish = Publish ended: { job-counts }.
# $context (Text) publish context
begin-image-rendering-publish-cleanup = Removal of unpublished files from { $context } begins.
# $count (Number) files removed
end-image-rendering-publish-cleanup = { end-image-serving-publish-cleanup }
# $context (Text) publish context
begin-video-publish = Publish of videos to { $context } begins.
# $success (Number)
# $updated (Number)
# $duplicates (Number)
# $warnings (Number)
# $errors (Number)
end-video-publish = Publish of videos ended: { job-counts }.
# $context (Text) publish context
begin-video-publish-cleanup = Removal of unpublished videos from { $context } begins.
# $count (Number) files removed
end-video-publish-cleanup = { end-image-serving-publish-cleanup }
# $context (Text) publish context
begin-server-directory-publish = Publish to the server directory of { $context } begins.
# $success (Number)
# $updated (Number)
# $duplicates (Number)
# $warnings (Number)
# $errors (Number)
end-server-directory-publish = Publish to the server directory ended: { job-counts }.
begin-metadata-publish = Publish of metadata begins.
# $success (Number)
# $updated (Number)
# $duplicates (Number)
# $warnings (Number)
# $errors (Number)
end-metadata-publish = Publish of metadata ended: { job-counts }.
# $count (Number) PDFs
begin-pdf-rip =
    { $count ->
        [one] Ripping of 1 PDF begins.
       *[other] Ripping of { NUMBER($count) } PDFs begins.
    }
# $success (Number)
# $updated (Number)
# $duplicates (Number)
# $warnings (Number)
# $errors (Number)
end-pdf-rip = Ripping ended: { job-counts }.
# $count (Number) assets
begin-reprocess =
    { $count ->
        [one] Reprocessing of 1 asset begins.
       *[other] Reprocessing of { NUMBER($count) } assets begins.
    }
# $success (Number)
# $updated (Number)
# $duplicates (Number)
# $warnings (Number)
# $errors (Number)
end-reprocess = Reprocessing ended: { job-counts }.
# $count (Number) assets
begin-set-generation =
    { $count ->
        [one] Set generation from 1 asset begins.
       *[other] Set generation from { NUMBER($count) } assets begins.
    }
# $success (Number)
# $updated (Number)
# $duplicates (Number)
# $warnings (Number)
# $errors (Number)
end-set-generation = Set generation ended: { job-counts }.
begin-video-sitemap = Writing of the video site map begins.
# $success (Number)
# $updated (Number)
# $duplicates (Number)
# $warnings (Number)
# $errors (Number)
end-video-sitemap = Writing of the video site map ended: { job-counts }.
# $count (Number) assets
begin-export =
    { $count ->
        [one] Export of 1 asset begins.
       *[other] Export of { NUMBER($count) } assets begins.
    }
# $success (Number)
# $updated (Number)
# $duplicates (Number)
# $warnings (Number)
# $errors (Number)
end-export = Export ended: { job-counts }.
begin-cleanup = Cleanup begins.
# $success (Number)
# $warnings (Number)
# $errors (Number)
end-cleanup = Cleanup ended: { $success ->
        [0] nothing was removed
        [one] 1 thing was removed
       *[other] { NUMBER($success) } things were removed
    }, { $warnings ->
        [one] 1 warning
       *[other] { NUMBER($warnings) } warnings
    }, { $errors ->
        [one] 1 error
       *[other] { NUMBER($errors) } errors
    }.
cleanup-held = Nothing was removed: the database is, or may be, older than the stored files, as one that was restored from a backup, and what it does not know may have been uploaded since. Stop the daemon and run prepress doctor --repair; once it has ended with 0, Cleanup removes again.
# $path (Text)
# $reason (Text) as the system gave it
cleanup-trees-unlooked = Nothing was removed: the published files in { $path } could not be looked at ({ $reason }), and may be newer than the database knows, as where that was restored from a backup. See that the disk answers and that the daemon's user may read it; the next Cleanup looks again.
# $seen (Time) what the clock showed before it jumped
# $now (Time) what it shows
# $until (Time) up to when nothing is removed
cleanup-held-by-clock = Nothing was removed: the clock shows { TIME($now, $zone) }, and showed { TIME($seen, $zone) } when the daemon last looked at it. It may be wrong, so that what seems old is not. If it is right, nothing needs to be done: Cleanup removes again from { TIME($until, $zone) } on. If it is wrong, set it right before then.
# $count (Number) files that nothing refers to
# $files (Number) files in the store
# $percent (Number) share
# $most (Number) percent that are usual
cleanup-unusual = No stored file was removed: { NUMBER($count) } of { NUMBER($files) } files ({ $percent }%) are referred to by nothing, which is more than the { $most }% that are usual. See whether the database is the right one (prepress doctor). If these files are not needed, raise retention.max_orphans for a night.
# $count (Number) assets
cleanup-trash =
    { $count ->
        [one] 1 asset had been in the trash for long enough and was given up.
       *[other] { NUMBER($count) } assets had been in the trash for long enough and were given up.
    }
# $count (Number) assets
cleanup-assets =
    { $count ->
        [one] 1 asset that had been given up was removed.
       *[other] { NUMBER($count) } assets that had been given up were removed.
    }
# $count (Number) exports
cleanup-exports =
    { $count ->
        [one] 1 archive of an export had expired and was removed.
       *[other] { NUMBER($count) } archives of exports had expired and were removed.
    }
# $count (Number) files
# $bytes (Bytes) freed
cleanup-unfinished =
    { $count ->
        [one] 1 unfinished file was removed ({ SIZE($bytes) }).
       *[other] { NUMBER($count) } unfinished files were removed ({ SIZE($bytes) }).
    }
# $count (Number) files
# $bytes (Bytes) freed
cleanup-blobs =
    { $count ->
        [one] 1 file that nothing refers to was removed ({ SIZE($bytes) }).
       *[other] { NUMBER($count) } files that nothing refers to were removed ({ SIZE($bytes) }).
    }

## Job log: files

# $file (Text)
file-begin = { $file } begins.
# $file (Text)
# $milliseconds (Milliseconds) time taken
file-end = { $file } ended after { DURATION($milliseconds) }.
# $file (Text)
file-cancelled = { $file } was left undone because the job was stopped.
# A client takes the path before the last " was processed ", so nothing a user can name may stand behind it.
# $file (Text) path with the company root folder first
# $type (Text) asset type
# $bytes (Bytes) size of the file
upload-success = { $file } was processed as { $type } ({ SIZE($bytes) }).
# $file (Text) path with the company root folder first
# $bytes (Bytes) size of the file
file-updated = { $file } was processed and replaced the earlier version ({ SIZE($bytes) }).
# $file (Text)
# $asset (Text) asset id that is taken
duplicate-skipped = { $file } was skipped: an asset named { $asset } is there already.
# $file (Text)
# $bytes (Bytes) its size
# $asset (Text) path of the asset that has its name, with the company root folder first
# $asset-bytes (Bytes) size of the asset's file
# $at (Time) when that came
duplicate-left-out = { $file } ({ SIZE($bytes) }) was left out: { $asset } has its name and other content ({ SIZE($asset-bytes) }, there since { TIME($at, $zone) }). Overwrite it, or number such files: prepress company same-name.
# $file (Text)
# $bytes (Bytes) its size
# $asset (Text) path of the set that has its name, with the company root folder first
# $at (Time) when that came
duplicate-left-out-set = { $file } ({ SIZE($bytes) }) was left out: { $asset } has its name and is a set, or another asset without a file, there since { TIME($at, $zone) }. No file takes the place of such an asset: rename one of the two, or number such files: prepress company same-name.
# $file (Text)
# $bytes (Bytes) its size
# $asset (Text) path of the asset that has its name, with the company root folder first
# $asset-bytes (Bytes) size of the asset's file
# $at (Time) when that came
# $mode (Text) overwrite mode of the company
duplicate-left-out-apart = { $file } ({ SIZE($bytes) }) was left out: { $asset } has its name and other content ({ SIZE($asset-bytes) }, there since { TIME($at, $zone) }), in another folder or with another extension. The company's overwrite mode, { $mode }, replaces no such asset: rename or move one of the two, or number such files: prepress company same-name.
# $file (Text)
# $asset (Text) asset id
duplicate-without-parts = { $asset } has none of the pages, layers or renditions that the order asks for, and gets none, because { $file } is there already: upload it with overwrite, have it processed again with reprocessAssetsJob, or its pages drawn with ripPdfsJob.
# $asset (Text) asset id
renditions-unfinished = The renditions of { $asset } may not all be there: the job that was to make them has not come to their end. Upload it with overwrite, or have it processed again with reprocessAssetsJob.
# $asset (Text) asset id
parts-go-on = The pages or layers of { $asset } were not all made by the job that was to make them: those that are missing, or were made otherwise than this order asks, are made now, and the others stay as they are.
# $file (Text)
# $asset (Text) asset id that is taken
# $name (Text) asset id given instead
duplicate-renamed = { $file } was stored as { $name }, because { $asset } is taken.
# $file (Text)
# $asset (Text) asset id that both would have
# $name (Text) asset id given instead
# $other (Text) the other file
name-shared = { $file } was stored as { $name }: without the characters that a name may not have, { $other } of the same job is called { $asset } as well.
# $file (Text)
junk-skipped = { $file } was skipped: it is a file that operating systems and transfer programs leave behind, not content.
# $path (Text)
link-skipped = { $path } was skipped: it is a link that leads out of the company's folder.
# $item (Text) what would have been written: a file, a page, a set
# $reason (Text)
item-refused = { $item } was left out: { $reason }.
# $file (Text)
# $reason (Text)
upload-error = { $file } could not be processed: { $reason }.
# $file (Text)
# $reason (Text)
upload-warning = { $file }: { $reason }.
# $file (Text) path of the page with the company root folder first
# $page (Number) number of the page, from 1
page-processed = { $file } was processed as page { NUMBER($page) } of its document.
# The words of lines from before they had paths.
# $file (Text)
# $reason (Text)
no-picture = { $file } was kept as it is and has no picture: { $reason }.
# $page (Number) number of the page, from 1
# $file (Text) the document
# $asset (Text) asset id of the page
page-made = Page { NUMBER($page) } of { $file } is { $asset }.
# $page (Number) number of the page, from 1
# $file (Text) the document
# $reason (Text)
page-note = Page { NUMBER($page) } of { $file }: { $reason }.
# $page (Number) number of the page, from 1
# $file (Text) the document
# $reason (Text)
page-failed = Page { NUMBER($page) } of { $file } could not be drawn: { $reason }.
# $file (Text) the document
# $page (Number)
# $reason (Text)
page-failed-kept = Page { NUMBER($page) } of { $file } could not be drawn: { $reason }. It stays as it was drawn before.
# $file (Text) the document
# $pages (Number) that it says it has
# $count (Number) that can be found
pages-missing = { $file } says that it has { NUMBER($pages) } pages, but only { NUMBER($count) } can be found in it: it is damaged.
# $file (Text) the document
# $pages (Number) that it says it has
# $count (Number) that can be found
pages-missing-kept = { $file } says that it has { NUMBER($pages) } pages, but only { NUMBER($count) } can be found in it: it is damaged. Pages that were made of it before stay.
# $file (Text) the document
# $reason (Text) what is wrong with it
pages-tree = { $file } is damaged: its tree of pages is not as it should be: { $reason }.
# $file (Text) the document
# $count (Number) pages
pages-outside =
    { $count ->
        [one] 1 page in { $file } is not drawn, as its tree of pages does not lead to it: it was taken out, or lost.
       *[other] { NUMBER($count) } pages in { $file } are not drawn, as its tree of pages does not lead to them: they were taken out, or lost.
    }
# $file (Text) the document
pages-by-search = { $file } is damaged: the table of its objects leads astray, and they were looked for in all of the file.
# $file (Text) the document
# $count (Number) files
pages-of-portfolio =
    { $count ->
        [one] { $file } is a portfolio: nothing is made of the file that it holds.
       *[other] { $file } is a portfolio: nothing is made of the { NUMBER($count) } files that it holds.
    } Its own pages may only say so. Upload by itself what is needed.
# $file (Text) the document, or the handle that should name one
# $reason (Text)
pages-failed = { $file }: its pages could not be drawn: { $reason }.
# $file (Text) the document
# $reason (Text)
pages-failed-kept = { $file }: its pages could not be drawn: { $reason }. What was made of it before stays as it was.
# $file (Text)
# $count (Number) pages that were found
pages-cut-off =
    { $file } is damaged behind { $count ->
        [one] the only page
       *[other] its { NUMBER($count) } pages
    } that can be found, and may have more.
# $file (Text)
# $count (Number) pages that were found
pages-cut-off-kept =
    { $file } is damaged behind { $count ->
        [one] the only page
       *[other] its { NUMBER($count) } pages
    } that can be found, and may have more. Pages that were made of it before stay.
# $file (Text) path of the eCatalog with the company root folder first
# $pages (Number)
catalog-processed = { $file } was processed as an eCatalog of { NUMBER($pages) } pages.
# $file (Text) path of the eCatalog with the company root folder first
# $pages (Number) that it has
# $count (Number) pages that could not be drawn
catalog-processed-lacking =
    { $file } was processed as an eCatalog of { NUMBER($pages) } pages: { $count ->
        [one] 1 page of its document, which could not be drawn, is not in it.
       *[other] { NUMBER($count) } pages of its document, which could not be drawn, are not in it.
    }
# $file (Text) the document
# $count (Number) pages that could not be drawn
catalog-too-small =
    No eCatalog was made of { $file }: { $count ->
        [one] 1 of its pages could not be drawn
       *[other] { NUMBER($count) } of its pages could not be drawn
    }, and no two are left.
# $file (Text) the document
pages-none-drawn = { $file }: none of its pages could be drawn.
# $catalog (Text) asset id of the eCatalog
# $file (Text) the document
# $pages (Number)
catalog-made = { $catalog } is the eCatalog of { $file }, with { NUMBER($pages) } pages.
# $file (Text) path of the layer's picture with the company root folder first
# $layer (Text) name of the layer
layer-processed = { $file } was processed as layer { $layer } of its file.
# $layer (Text) name of the layer
# $file (Text) the Photoshop file
# $asset (Text) asset id of the layer
layer-made = Layer { $layer } of { $file } is { $asset }.
# $layer (Text) name of the layer
# $file (Text) the Photoshop file
# $reason (Text)
layer-note = Layer { $layer } of { $file }: { $reason }.
# $layer (Text) name of the layer
# $file (Text) the Photoshop file
layer-crop-given-up = Layer { $layer } of { $file } is drawn whole: neither its number nor its name and place say for sure that it is the one that the crop was set on. Set the crop again.
# $layer (Text) name of the layer
# $file (Text) the Photoshop file
# $reason (Text)
layer-failed = Layer { $layer } of { $file } could not be made a picture: { $reason }.
# $file (Text) the Photoshop file
# $layer (Text) its name
# $reason (Text)
layer-failed-kept = Layer { $layer } of { $file } could not be made a picture: { $reason }. It stays as it was made before.
# $file (Text) the document, Photoshop file or film
# $count (Number) assets that were made of it
parts-gone =
    { $count ->
        [one] 1 asset that was made of { $file } before went to the trash: the file does not bring it forth any more.
       *[other] { NUMBER($count) } assets that were made of { $file } before went to the trash: the file does not bring them forth any more.
    }
# $file (Text) the document or Photoshop file
parts-moved = { $file } does not have all pages or layers that it had before, and some of them had been unmarked: a mark stays with a page number, or the name and place of a layer. See whether what is marked for publishing is what should be.
# $file (Text) the document, Photoshop file or film
parts-outdated = { $file } was replaced by another file while its parts were made: nothing more is made of the one that this job brought.
# $file (Text) the document, Photoshop file or film
parts-superseded = The parts of { $file } are made by a job that began with them later: this one makes nothing more of it.
# $file (Text) the document, Photoshop file or film
parts-withdrawn = { $file } was deleted before all was made of it: nothing more is made. What was made of it is left as it is.
# $asset (Text) asset id of a page, layer, rendition or set
part-came-back = { $asset } was in the trash and came out of it, because it was made again.
# $asset (Text) asset id of a page, layer, rendition or set
part-came-back-unmarked = { $asset } was in the trash and came out of it, because it was made again. It is not marked for publishing everywhere that the asset is that it was made from, because it had been unmarked.
# $asset (Text) asset id of a page, layer, rendition or set
part-made-unmarked = { $asset } is not marked for publishing everywhere that the asset is that it was made from, because what was in its place before had been unmarked.
# $asset (Text) asset id of a page, layer, rendition or set
part-came-back-lost-marks = { $asset } was in the trash and came out of it, because it was made again. It was marked for publishing where the asset that it was made from is not, and is no longer, because others that were made from that had been unmarked there.
# $asset (Text) asset id of a page or layer
part-came-back-beside-unmarked = { $asset } was in the trash and came out of it, because it was made again. It is marked for publishing, but others that were made from the same asset had been unmarked: see whether it should be.
# $asset (Text) asset id of a page or layer
part-made-beside-unmarked = { $asset } is new and is marked for publishing as the asset is that it was made from, but others that were made from that had been unmarked. See whether it should be.
# $asset (Text) asset id of a page, layer, rendition or set
part-made-not-ready = { $asset } is not marked for publishing, though the order calls it ready: the asset that it was made from is not marked, and marks are kept.
# $asset (Text)
# $count (Number) assets that were made of its earlier file
parts-of-earlier-gone =
    { $count ->
        [one] 1 asset that was made of the earlier file of { $asset } went to the trash.
       *[other] { NUMBER($count) } assets that were made of the earlier file of { $asset } went to the trash.
    }
# $asset (Text)
# $file (Text) asset that it was a part of
part-replaced = { $asset } was made of { $file } and is now an asset of its own. When { $file } is processed again, its part gets another name.
# $file (Text) the Photoshop file
# $reason (Text)
layers-failed = { $file }: its layers could not be made pictures: { $reason }.
# $file (Text) the Photoshop file
# $reason (Text)
layers-failed-kept = { $file }: its layers could not be made pictures: { $reason }. What was made of it before stays as it was.
# $file (Text) the Photoshop file
layers-none = { $file } has no layers.
# $file (Text) the Photoshop file
# $layers (Number)
layers-without-pixels =
    { $file }: { $layers ->
        [one] 1 layer without pixels was left out.
       *[other] { NUMBER($layers) } layers without pixels were left out.
    }
# $file (Text) path of the template with the company root folder first
# $layers (Number)
template-processed =
    { $file } was processed as a template of { $layers ->
        [one] 1 layer.
       *[other] { NUMBER($layers) } layers.
    }
# $template (Text) asset id of the template
# $file (Text) the Photoshop file
# $layers (Number)
template-made = { $template } is the template of { $file }, with { NUMBER($layers) } layers.
# $file (Text) as it was called
# $name (Text) as it is stored
name-cleaned = { $file } is stored as { $name }, without the characters that a name may not have.
# $file (Text)
# $other (Text) the file whose content the asset had
# $asset (Text)
replaced-of-same-job = { $file } took the place of { $other }, which came in the same job and is no asset any more: both are called { $asset }, and the job overwrites.
# $asset (Text)
# $from (Text) folder
# $folder (Text) folder
moved-to-folder = { $asset } moved from { $from } to { $folder }.
# $file (Text)
# $extension (Text) of the file's name
# $type (Text) by its content
content-differs = { $file } is named .{ $extension } but holds { $type }; it was taken as what it holds.

# $file (Text) file that is called as an archive
archive-not-unpacked = { $file } was not unpacked: it holds no archive that can be read. It is kept as it is.
# $file (Text) archive
# $count (Number) files in it
archive-unpacked =
    { $count ->
        [one] { $file } was unpacked: 1 file.
       *[other] { $file } was unpacked: { NUMBER($count) } files.
    }
# $file (Text) archive
# $count (Number) files that were found
archive-cut-off =
    { $count ->
        [one] { $file } lacks its end: it may have had more than the 1 file that was found.
       *[other] { $file } lacks its end: it may have had more than the { NUMBER($count) } files that were found.
    }
# $file (Text) archive
# $count (Number) files that were found
archive-followed =
    { $count ->
        [one] { $file } goes on behind its end, and what follows was not read: it may be damaged, or more than one archive. 1 file was found before that.
       *[other] { $file } goes on behind its end, and what follows was not read: it may be damaged, or more than one archive. { NUMBER($count) } files were found before that.
    }
# $file (Text) archive
# $count (Number) files that were found
archive-filled =
    { $count ->
        [one] { $file } is filled up with more zeros than usual behind the 1 file that was found: it may have been cut off, and have had more.
       *[other] { $file } is filled up with more zeros than usual behind the { NUMBER($count) } files that were found: it may have been cut off, and have had more.
    }
# $file (Text) archive
# $count (Number) names
# $page (Text) code page
archive-names =
    { $count ->
        [one] { $file } has 1 name that does not say how it is written; it was read as { $page }.
       *[other] { $file } has { NUMBER($count) } names that do not say how they are written; they were read as { $page }.
    }

## Job log: web addresses

# $url (Text)
# $bytes (Bytes)
# $milliseconds (Milliseconds)
url-fetched = { $url } was fetched: { SIZE($bytes) } in { DURATION($milliseconds) }.
# $url (Text)
# $reason (Text)
url-failed = { $url } could not be fetched: { $reason }.
# $url (Text)
# $reason (Text)
# $attempt (Number) that failed
# $attempts (Number) allowed
# $at (Time) of the next attempt
url-retried = { $url } could not be fetched (attempt { $attempt } of { $attempts }): { $reason }. The next attempt is on { TIME($at, $zone) }.
# $url (Text)
# $coding (Text) gzip or deflate
url-decoded = { $url } came encoded as { $coding }, which was not asked for; it was decoded.
# $url (Text)
# $coding (Text) gzip or deflate
url-packed-by-itself = The server calls { $url } encoded as { $coding }, which it is by itself: it was taken as it is.
# $url (Text)
# $coding (Text) gzip or deflate
url-not-encoded = The server calls { $url } encoded as { $coding }, and it is not: it was taken as it came.
# $url (Text)
# $coding (Text) as the server calls it
url-coding-strange = The server calls { $url } encoded as { $coding }, which is no encoding of HTTP: it was taken as it came.
# $url (Text)
# $reason (Text)
url-begun-anew = { $url } came in several tries, and { $reason }. It is fetched once more from the beginning.
# $url (Text)
url-length-unsaid = The server did not say how long { $url } is: if the connection was cut, the file lacks its end.

## Job log: optimization

# $asset (Text)
# $width (Number) pixels
# $height (Number) pixels
# $bytes (Bytes) of the pyramid
optimize-success = { $asset } was optimized: { $width } × { $height } pixels, { SIZE($bytes) }.
# $asset (Text)
# $reason (Text)
optimize-failure = { $asset } could not be optimized: { $reason }.
# $asset (Text)
# $type (Text) asset type
# $bytes (Bytes) of the master
reprocess-success = { $asset } was processed again as { $type } ({ SIZE($bytes) }).
# $asset (Text) name or handle
# $reason (Text)
reprocess-failure = { $asset } could not be processed again: { $reason }.
# $file (Text) the document
# $count (Number) pages
# $document (Text) there or trash: where the document is
pages-stale =
    { $count ->
        [one] 1 page of { $file } was left as it is: it was drawn
       *[other] { NUMBER($count) } pages of { $file } were left as they are: they were drawn
    } with other settings, or of an earlier file. { $document ->
        [trash] Their document is in the trash: restore it, and draw its pages again with ripPdfsJob.
       *[there] Draw the pages of the document again with ripPdfsJob.
    }
# $asset (Text)
page-stale-alone = { $asset } was left as it is: it is a page that was drawn with other settings, and its document is gone for good. Upload the document again to have it drawn.
# $count (Number) assets
optimize-fresh =
    { $count ->
        [one] 1 asset was up to date already.
       *[other] { NUMBER($count) } assets were up to date already.
    }

## Job log: publishing

# $file (Text)
# $context (Text) publish context
publish-success = { $file } was published to { $context }.
# $file (Text)
# $context (Text) publish context
publish-removed = { $file } was removed from { $context }.
# $file (Text)
# $context (Text) publish context
# $reason (Text)
publish-remove-failed = { $file } could not be removed from { $context }: { $reason }.
# $file (Text)
# $context (Text) publish context
# $reason (Text)
publish-error = { $file } could not be published to { $context }: { $reason }.
# $file (Text)
# $context (Text) publish context
# $reason (Text)
publish-warning = { $file } was published to { $context }, but { $reason }.
# $context (Text) publish context
publish-nothing = Nothing has changed in { $context } since the last publish.
# $context (Text) publish context
publish-begun-anew = Another publish to { $context } came in between, so this one begins anew. Errors named before this line are looked for again, and count no more.
# $context (Text) publish context
publish-trees-newer = The published files of { $context } were written later than the database knows of, as where it was restored from a backup: they are made anew. Cleanup removes nothing until prepress doctor --repair has ended with 0.
# $context (Text) publish context
publish-found-shown = An earlier publish had reached the readers of { $context } before it broke off without saying so. What it changed is named here.
# $context (Text) publish context
publish-told = A later publish to { $context } has named what else this one changed.
# $file (Text)
# $context (Text) publish context
publish-mended = { $file } in { $context } had been changed or removed by somebody since it was published, and was put back.
# $context (Text) publish context
publish-manifest-mended = The manifest of { $context } had been changed or removed by somebody since it was published, and was written again.
# $file (Text)
# $context (Text) publish context
publish-stranger = { $file } in { $context } was put there by somebody, and by no publish: it is removed.
# $file (Text)
# $context (Text) publish context
publish-unknown = { $file } was published in { $context }, and the database knows nothing of it, as one from before that: it is published no more.
# $count (Number) files
# $file (Text) one of them
# $context (Text) publish context
publish-unknowns =
    { $count ->
        [one] 1 file in { $context } that the database knows nothing of is published no more: { $file }.
       *[other] { NUMBER($count) } files in { $context } that the database knows nothing of are published no more, { $file } among them.
    }
# $count (Number) files
# $file (Text) one of them
# $context (Text) publish context
publish-strangers =
    { $count ->
        [one] 1 file in { $context } that no publish put there is removed: { $file }.
       *[other] { NUMBER($count) } files in { $context } that no publish put there are removed, { $file } among them.
    }
# $file (Text)
# $context (Text) publish context
publish-overwritten = { $file } in { $context } had been changed by somebody since it was written, and was written over.
# $count (Number) files
# $bytes (Bytes)
# $context (Text) publish context
publish-parted =
    { $count ->
        [one] 1 file in { $context } ({ SIZE($bytes) }) was a link to a stored file and got room of its own.
       *[other] { NUMBER($count) } files in { $context } ({ SIZE($bytes) }) were links to stored files and got room of their own.
    }
# $count (Number) videos
# $path (Text)
sitemap-written =
    { $count ->
        [one] The site map names 1 video: { $path }.
       *[other] The site map names { NUMBER($count) } videos: { $path }.
    }
sitemap-unchanged = The site map is as it was: nothing it would say has changed.
sitemap-nothing = No videos are published, so there is no place for a site map yet; run videoPublishJob first.
# $limit (Number)
# $count (Number) videos left out
sitemap-too-long = A site map may name { NUMBER($limit) } videos; { NUMBER($count) } more are published and not in it.
# $path (Text)
sitemap-overwritten = The site map { $path } had been changed by somebody since it was written, and was written again.
# $count (Number) files named
# $path (Text)
publish-manifest =
    { $count ->
        [one] The manifest { $path } names 1 file.
       *[other] The manifest { $path } names { NUMBER($count) } files.
    }

## Job log: sets, pages, export, metadata

# $file (Text) video
# $preset (Text) name of the video encoding preset
# $reason (Text)
rendition-failed = { $file }: no rendition could be made by the preset { $preset }: { $reason }.
# $file (Text) the film
# $preset (Text)
# $reason (Text)
rendition-failed-kept = { $file }: no rendition could be made by the preset { $preset }: { $reason }. The one that was made before stays as it was.
# $name (Text) set
# $count (Number) members
set-created =
    { $count ->
        [one] Set { $name } was made with 1 member.
       *[other] Set { $name } was made with { NUMBER($count) } members.
    }
# $name (Text) set
# $count (Number) members now
set-updated =
    { $count ->
        [one] Set { $name } was updated and has 1 member.
       *[other] Set { $name } was updated and has { NUMBER($count) } members.
    }
# $name (Text) set
# $count (Number) what the file brings forth and is no member
set-edits-kept =
    { $count ->
        [one] Set { $name } was changed since it was made, and stays so: 1 page, layer or rendition of its file is not in it.
       *[other] Set { $name } was changed since it was made, and stays so: { NUMBER($count) } pages, layers or renditions of its file are not in it.
    }
# $name (Text) set
set-marks-kept = Set { $name } was there and is not marked for publishing everywhere: it stays so, because the job keeps marks.
# $name (Text) set
# $count (Number) assets that were not marked everywhere
set-marked =
    { $count ->
        [one] Set { $name }: 1 asset, the set or a member of this job, was marked for publishing.
       *[other] Set { $name }: { NUMBER($count) } assets, the set and members of this job, were marked for publishing.
    }
# $name (Text) set
set-unmarked = Set { $name } is not marked for publishing any more.
# $name (Text) set
# $count (Number) members
set-unchanged =
    { $count ->
        [one] Set { $name } already has its member.
       *[other] Set { $name } already has its { NUMBER($count) } members in their order.
    }
# $asset (Text)
# $name (Text) set
# $reason (Text)
set-left-out = { $asset } was left out of set { $name }: { $reason }.
# $name (Text) set, asset or script
# $reason (Text)
set-error = No set could be made for { $name }: { $reason }.
# $file (Text) PDF
# $count (Number) pages
pdf-ripped =
    { $count ->
        [one] { $file }: 1 page was made.
       *[other] { $file }: { NUMBER($count) } pages were made.
    }
# $file (Text) PDF
# $reason (Text)
pdf-rip-error = { $file } could not be ripped: { $reason }.
# $file (Text) original
# $name (Text) exported file
export-file-success = { $file } is exported to { $name }
# $file (Text) original
# $name (Text) in the archive
# $wanted (Text) what it would be called
export-name-changed = { $file } is called { $name } in the archive, because Windows cannot unpack a file called { $wanted }.
# $file (Text) original
# $name (Text) in the archive
# $wanted (Text) what it would be called
export-name-numbered = { $file } is called { $name } in the archive, because another file there is called { $wanted } or differs from that only in the case of letters.
# $file (Text)
# $reason (Text)
export-file-error = { $file } could not be exported: { $reason }.
# $name (Text) file in the archive
# $reason (Text)
export-note = { $name }: { $reason }.
# $name (Text) file in the archive
# $reason (Text)
export-has-loss = { $name } has the loss of JPEG that its pyramid has, because it could not be made of the original: { $reason }.
# $name (Text) file in the archive
# $reason (Text)
export-is-stale = { $name } shows the picture as it was made earlier, with other settings or another colour profile, because it could not be made anew: { $reason }.
# $name (Text) file in the archive
# $reason (Text)
export-no-xmp = { $name } has no XMP metadata, because that of the original could not be read: { $reason }.
# $count (Number) files in it
# $bytes (Bytes)
# $address (Text) where it is
# $at (Time) when the download ends
export-zip-success =
    { $count ->
        [one] The archive is ready: 1 file, { SIZE($bytes) }. It can be downloaded from { $address } until { TIME($at, $zone) }.
       *[other] The archive is ready: { NUMBER($count) } files, { SIZE($bytes) }. It can be downloaded from { $address } until { TIME($at, $zone) }.
    }
# $asset (Text)
# $type (Text) its type
export-dropped = { $asset } is left out: assets of the type { $type } cannot be exported.
# $command (Text) name of an image-serving command
export-command-ignored = The command { $command } had no effect: there is no such image-serving command.
# $command (Text) name of an image-serving command
export-command-unsupported = The command { $command } had no effect: it is not supported.
# $command (Text) what was written
export-command-encoded = { $command } had no effect: its = or & is percent-encoded, which makes it part of a value; between commands and values they stand as they are.
# $command (Text) name of an image-serving command
export-command-no-place = The command { $command } had no effect: the files that are made have no place for it.
# $bytes (Bytes)
# $limit (Bytes)
export-too-large = The export would have { SIZE($bytes) }, which is more than the { SIZE($limit) } allowed. Export fewer assets at a time.
export-nothing = There was nothing to export.
# $asset (Text)
metadata-success = Metadata of { $asset } was stored.
# $asset (Text)
# $reason (Text)
metadata-failure = Metadata of { $asset } could not be stored: { $reason }.
# $file (Text) metadata file
# $count (Number) rows in it
metadata-file-read =
    { $count ->
        [one] { $file } says something of 1 asset.
       *[other] { $file } says something of { NUMBER($count) } assets.
    }
# $asset (Text) its name before
# $name (Text) its name now
metadata-renamed = { $asset } was renamed to { $name }.
# $file (Text) metadata file
# $row (Number) of the file
# $asset (Text) as the file calls it
# $reason (Text)
metadata-row-failed = { $file }, row { $row }, about { $asset }: { $reason }.

## Job log: how a run went

# $user (Text) who asked
retry-asked = { $user } asked for the next attempt to begin at once.
# $at (Time) when it was to run
exec-time-passed = The job was to run on { TIME($at, $zone) }. That had passed when it was submitted, so it runs at once.
# $user (Text) who asked
stop-requested = { $user } asked the job to stop.
# $user (Text) who asked
# $done (Number) items done
# $total (Number) items in all
job-stopped = Stopped by { $user } after { NUMBER($done) } of { $total ->
        [one] 1 item
       *[other] { NUMBER($total) } items
    }.
# $attempt (Number) that failed
# $attempts (Number) allowed
# $reason (Text)
# $at (Time) of the next attempt
attempt-failed = Attempt { $attempt } of { $attempts } failed: { $reason }. The job will be tried again on { TIME($at, $zone) }.
disk-full = The disk is full. The job waits for room, and goes on as soon as there is some; none of its attempts is used up by that.
# $attempts (Number) made
# $reason (Text) of the last failure
attempts-exhausted =
    { $attempts ->
        [one] The job failed in its only attempt: { $reason }.
       *[other] The job failed in each of its { $attempts } attempts; the last one: { $reason }.
    }
# $reason (Text)
job-failed = The job failed: { $reason }.
# $attempt (Number) that was lost
# $reason (Text)
# $at (Time) of the next attempt
worker-lost = Attempt { $attempt } was lost: { $reason }. What it had committed stays; the rest will be done from { TIME($at, $zone) } on.
# In logs of earlier versions.
# $attempt (Number) that lost it
lease-lost = Attempt { $attempt } gave no sign of life in time and has lost its claim on the job; what it had not finished will be done again.
# $done (Number) items done
# $total (Number) items in all
shutdown-requeued = The daemon shut down after { NUMBER($done) } of { NUMBER($total) } items; the job is queued again and goes on with the next item.
# $attempt (Number) now beginning
# $done (Number) items done before
# $total (Number) items in all
job-continued = Attempt { $attempt } goes on after { NUMBER($done) } of { NUMBER($total) } items.
# In logs of earlier versions.
# $kind (Text) a job type of the API
not-available = { kind }: not available in this version.
# $option (Text) name of the field
# $reason (Text)
option-no-effect = The option { $option } had no effect, because { $reason }.
# $file (Text)
# $option (Text) name of the field
# $reason (Text)
option-no-effect-here = { $file }: the option { $option } had no effect, because { $reason }.
# $name (Text) name of the new job
# $kind (Text) a job type of the API
follow-up-submitted = Follow-up job { $name } was submitted ({ kind }).
# $kind (Text) a job type of the API
follow-up-no-files = No follow-up job was submitted ({ kind }), because no files were processed.
# $kind (Text) a job type of the API
follow-up-not-submitted = No follow-up job was submitted ({ kind }), because the job did not come to its end.
# $kind (Text) a job type of the API
# $reason (Text)
follow-up-failed = The follow-up job ({ kind }) could not be submitted: { $reason }.
# $url (Text)
# $status (Number) HTTP status
completion-url-called = The completion address { $url } was called and answered { $status }.
# $url (Text)
# $reason (Text)
# $attempt (Number) that failed
# $attempts (Number) allowed
# $at (Time) of the next attempt
completion-url-retried = The completion address { $url } could not be called (attempt { $attempt } of { $attempts }): { $reason }. The next attempt is on { TIME($at, $zone) }.
# $url (Text)
# $reason (Text)
# $attempts (Number) made
completion-url-failed =
    { $attempts ->
        [one] The completion address { $url } could not be called: { $reason }.
       *[other] The completion address { $url } could not be called in { $attempts } attempts; the last one: { $reason }.
    }
# $recipient (Text) mail address
mail-sent = A mail was sent to { $recipient }.
# $recipient (Text) mail address
# $reason (Text)
# $attempt (Number) that failed
# $attempts (Number) allowed
# $at (Time) of the next attempt
mail-retried = The mail to { $recipient } could not be sent (attempt { $attempt } of { $attempts }): { $reason }. The next attempt is on { TIME($at, $zone) }.
# $recipient (Text) mail address
# $reason (Text)
# $attempts (Number) made
mail-failed =
    { $attempts ->
        [one] The mail to { $recipient } could not be sent: { $reason }.
       *[other] The mail to { $recipient } could not be sent in { $attempts } attempts; the last one: { $reason }.
    }

## Reasons: parts of a sentence, to stand as `$reason` in a message above

reason-worker-gone = the process that ran it ended without finishing it
reason-worker-ended-by-file = a file ended the process that ran it; that file is not tried again
reason-no-sign-of-life = it gave no sign of life for too long
# $content (Text) what the file is known by
reason-condemned = the daemon ended while it worked on this file, and again while it worked on this file alone; it is not tried any more until an administrator runs "prepress doctor --clear { $content }"
reason-empty = the file is empty
reason-truncated = the file ends in the middle of its content
# $type (Text) format
# $detail (Text) what the decoder said
reason-damaged = the { $type } is damaged: { $detail }
reason-unknown-format = its content is of no known format
# $kind (Text) picture, document or film
# $extension (Text) of the file's name
# $holds (Text) zeros, pointer, page, text, other, unmarked-text, unmarked or unknown
# $type (Text) format of what is other
# $mark (Text) what files that are called so begin with
reason-not-as-named =
    it is not a { $kind ->
        [document] document
        [film] film
       *[picture] picture
    }, though it is named .{ $extension }: { $holds ->
        [zeros] it begins with nothing but zeros
        [pointer] it only says where Git LFS keeps the file
        [page] it holds a web page
        [text] it holds text
        [other] it holds { $type }
        [unmarked-text] it holds text, and has no { $mark } at its start
        [unmarked] its content is of no known format, and it has no { $mark } at its start
       *[unknown] its content is of no known format
    }
# $type (Text) format
reason-format-not-read = files of the format { $type } are not read in this version
# $bytes (Number) that it has
# $expected (Number) that it should have
reason-film-cut = the file breaks off: it has { NUMBER($bytes) } bytes, and should have { NUMBER($expected) } or more by its own lengths
# $bytes (Number)
reason-film-zeros-at-end = the file breaks off: its last { NUMBER($bytes) } bytes or more are zeros, as an interrupted copy leaves them
# $at (Number) byte
reason-film-zeros = it is damaged: zeros stand from byte { NUMBER($at) } on, where a part of it should begin
# $at (Number) byte
reason-film-lost = what stands from byte { NUMBER($at) } on is no part of its container, and it was not looked at whether it is whole
# $limit (Number) parts
# $at (Number) byte
reason-film-many-parts = it has more than { NUMBER($limit) } parts, and it was not looked at from byte { NUMBER($at) } on whether it is whole
# $at (Number) byte
reason-film-gaps = zeros stand between its parts from byte { NUMBER($at) } on, as in films for a Video CD; a copy with holes would look the same
reason-film-not-ended = not all of its streams are marked as ended; the file may break off
# $count (Number) complaints
# $first (Text) what the tool said
reason-film-complaints = while it was read there { $count ->
        [one] was 1 complaint
       *[other] were { NUMBER($count) } complaints
    } about it, and what is made of it may not be as it should; the first: { $first }
# $count (Number) complaints
# $first (Text) what the tool said
reason-frame-complaints = while its frame was taken there { $count ->
        [one] was 1 complaint
       *[other] were { NUMBER($count) } complaints
    } about it; the first: { $first }
# $seconds (Number) length of what could be read
# $expected (Number) length that the file says it has
reason-video-cut-off = only { NUMBER($seconds) } of its { NUMBER($expected) } seconds could be read; the file is damaged or breaks off
reason-no-video-root-url = the configuration does not say where published videos are served; set video_root_url in [publish]
reason-preset-gone = there is no such video encoding preset any more
# $width (Number)
# $height (Number)
# $limit (Number) pixels allowed
reason-too-many-pixels = { $width } × { $height } pixels are more than the { NUMBER($limit) } allowed (media.max_pixels)
# $bytes (Bytes)
# $limit (Bytes)
reason-too-large = { SIZE($bytes) } are more than the { SIZE($limit) } allowed
# $path (Text)
reason-not-found = { $path } does not exist
# $path (Text)
reason-outside-root = { $path } leads out of the company's folder
# $path (Text)
# $detail (Text) what the system said
reason-not-readable = { $path } cannot be read: { $detail }
reason-changed = it was written to while it was read
reason-link-nowhere = the link leads to nothing
reason-link-loop = the folder is part of the upload already, and was not gone through again
reason-not-a-file = it is a pipe, a socket or a device, not a file
reason-too-deep = its folders are nested deeper than the configuration allows
reason-archive-encrypted = it is encrypted inside the archive
reason-archive-folder = it is named as a folder, though it has content
reason-archive-link = it is a link, and links in archives are not followed
reason-archive-outside = its path leads out of the archive
reason-archive-method = it is packed in a way that is not read here
# $handle (Text) as the client gave it
# $kind (Text) publish context type
reason-no-context = contextHandle { $handle } is not { $kind ->
        [ImageServing] an ImageServing
        [ImageRendering] an ImageRendering
       *[other] a { $kind }
    } context of the company
# $path (Text)
reason-path-taken = another asset's file or folder is published at { $path }; rename or move one of them
# $kind (Text) publish context type
reason-no-default-context = the company has no { $kind } context to publish to
reason-no-name = nothing is left of its name without the characters that a name may not have
# $limit (Number) characters allowed
reason-name-too-long = its name is longer than { $limit } bytes of UTF-8
# $milliseconds (Milliseconds) allowed
reason-timeout = it took longer than { DURATION($milliseconds) }
reason-disk-full = the disk is full
# $milliseconds (Milliseconds) allowed
reason-silence = nothing came for { DURATION($milliseconds) }
# $status (Number) HTTP status
reason-http-status = the server answered { $status }
# $host (Text)
# $address (Text)
reason-private-address = { $host } is at the private address { $address }, which is fetched only if fetch.allow_private is set in the configuration
# $limit (Number)
reason-too-many-redirects = it was redirected more than { $limit } times
# $detail (Text) what the network said
reason-connection = the connection failed: { $detail }
reason-other-part = the server sent another part of the file than was asked for
# $coding (Text) as the server calls it
reason-transfer-coding = it came with Transfer-Encoding: { $coding }, and only chunked is read
reason-lengths-differ = the server says in several ways how long it is, or in none that can be read
# $bytes (Number) that came
# $length (Number) bytes of the file
reason-cut-short = only { NUMBER($bytes) } of { NUMBER($length) } bytes came
# $coding (Text) as the server calls it
reason-content-coding = it came encoded as { $coding }, which was not asked for and is not decoded
# $coding (Text) as the server calls it
# $detail (Text)
reason-coding-damaged = it came encoded as { $coding }, which was not asked for, and cannot be decoded: { $detail }
# $tool (Text) program
# $package (Text) Debian package
reason-tool-missing = { $tool } is not installed (package { $package })
reason-asset-unknown = the company has no such asset
reason-asset-in-trash = it is in the trash
# $field (Text)
reason-field-unknown = there is no metadata field { $field }
# $field (Text)
# $type (Text) asset type in capitals
reason-field-other-type = the field { $field } is for assets of type { $type }
# $field (Text)
# $rule (Text) must be …
reason-field-value = { $field } { $rule }
# $count (Number) fields
reason-fields-more = { $count ->
        [one] 1 more field was
       *[other] { NUMBER($count) } more fields were
    } not stored either
# $count (Number) cells
reason-cells-nameless = { $count ->
        [one] 1 cell stands
       *[other] { NUMBER($count) } cells stand
    } under no name of a field
# $count (Number) elements, and its text
reason-contents-unread = { $count ->
        [one] 1 value stands
       *[other] { NUMBER($count) } values stand
    } inside of its element and { $count ->
        [one] was
       *[other] were
    } not read: fields are attributes
# $name (Text)
reason-name-taken = another asset is named { $name }
reason-script-gone = the company has no such set script any more
# $script (Text) name of a set script
reason-no-base-name = the script { $script } finds no base name in its name
reason-no-row = its name gives no row
reason-no-column = its name gives no column
# $row (Number) as names say it
# $column (Number) as names say it
# $asset (Text) the member that has the place
reason-cell-taken = { $asset } already has row { $row }, column { $column }
# $limit (Number) members
reason-set-full = a set made by a script has at most { NUMBER($limit) } members
reason-set-name-taken = the name belongs to another asset, or to a set of another kind
# $type (Text) asset type
reason-not-for-type = it does not apply to { $type }
# $asset (Number) of the handle
reason-profile-gone = the colour profile a|{ $asset } that it is made with is no longer there
# $profile (Text) name of the asset
reason-profile-unusable = { $profile }, which it is made with, is not a colour profile for gray, RGB or CMYK
reason-crop-kept = the crop that it has is kept unless preserveCrop is false
reason-asset-changed = its master was replaced meanwhile
reason-asset-changing = somebody changes it again and again while it is made; try again when it is left alone
reason-page = it is a page and is drawn again with its document
reason-page-alone = it is a page whose document is gone for good: nothing can draw it again, and it stays as it was drawn
reason-rendition = it is a rendition and is made again with its video
reason-rendition-alone = it is a rendition whose video is gone for good: nothing can make it again, and it stays as it was made
reason-no-master = it is a set and has no file of its own
reason-not-in-version = this version does not have it yet
reason-no-smart-crops = this server makes no smart crops
reason-css-kept = CSS files are kept and published as they are
reason-in-design-kept = InDesign files are kept as they are and are not drawn
reason-no-projects = this server keeps no projects
reason-no-cloud = it is for services of the API's vendor, and this server calls none of them
reason-tracks-by-name = captions and sound are published under their own names and are not bound to a video
reason-sets-made-again = the adaptive set of a video is always made again with its renditions
reason-no-xmp-templates = this server keeps no XMP templates
reason-videos-by-presets = videos are encoded by the presets of videoEncodingPresetsArray alone
reason-pages-as-drawn = crops, masks and colours are for pictures, and the job draws pages
reason-option-undocumented = the reference of the API does not say what it is for
reason-option-reserved = the API reserves it
reason-not-converted = profiles are used when colorManagement is Convert
reason-no-thumbnail = generateThumbnail is false
reason-no-follow-up = no job follows this one
# $pages (Number)
# $limit (Number)
reason-too-many-pages = it has { NUMBER($pages) } pages; documents of at most { NUMBER($limit) } are drawn
# $layers (Number)
# $limit (Number)
reason-too-many-layers = it has { NUMBER($layers) } layers; files of at most { NUMBER($limit) } are taken apart
# $option (Text) as the API calls it
reason-option-absent = the order has no { $option }, by which it would be drawn
reason-pages-not-cmyk = pages are drawn in RGB, not in CMYK
# $fonts (Text) names of fonts
# $instead (Text) names of families, each with the font that it stands in for
reason-fonts-stand-in = it does not bring the fonts { $fonts }; taken instead: { $instead }
# $fonts (Text) names of fonts
reason-fonts-built-in = it does not bring the fonts { $fonts }; taken instead: built-in ones, for Western Europe
reason-no-asset = there is no such asset
reason-not-needed = nothing in this job needs it
reason-in-trash = it is in the trash
reason-no-pyramid = there is no pyramid to convert it from; optimize it first
reason-template-original = templates cannot be exported as originals
reason-lost-file = its file is missing from the store of files; upload it again
reason-file-damaged = the stored file was changed or damaged since it came in; upload it again, or restore it from a backup
reason-changed-meanwhile = it was changed again while it was made ready, as often as that was tried; the next publish takes it
reason-page-lost = what was drawn of it is missing, damaged, or of other settings; draw its document again with ripPdfsJob
reason-page-lost-alone = what was drawn of it is missing, damaged, or of other settings, and its document is gone for good; upload the document again, and delete this page
reason-exports-originals = originals were asked for
reason-internal = an internal error, whose details are in the log of the daemon
# $detail (Text)
reason-other = { $detail }

## What is wrong with stored files

# $role (Text) what the file is to its asset
# $asset (Text) its name
# $company (Text)
# $folder (Text) with the company root folder first
damaged-file =
    { $role ->
        [Master] The master of
        [Part] The file of the part
        [Published] The published file
       *[other] The { $role } of
    } { $asset } (company { $company }, folder { $folder })
# $role (Text) what the file is to its asset
# $asset (Text) its name
# $company (Text)
# $folder (Text) with the company root folder first
# $blob (Text) its name in the blob store
damage-gone = { damaged-file } is gone: { $blob }.
# $role (Text) what the file is to its asset
# $asset (Text) its name
# $company (Text)
# $folder (Text) with the company root folder first
# $blob (Text) its name in the blob store
# $expected (Number) bytes
# $found (Number) bytes
damage-size = { damaged-file } has { NUMBER($found) } bytes instead of { NUMBER($expected) }; it is stored as { $blob }.
# $role (Text) what the file is to its asset
# $asset (Text) its name
# $company (Text)
# $folder (Text) with the company root folder first
# $blob (Text) its name in the blob store
damage-changed = { damaged-file } was changed: its hash should be { $blob }, and is another one.
# $role (Text) what the file is to its asset
# $asset (Text) its name
# $company (Text)
# $folder (Text) with the company root folder first
# $blob (Text) its name in the blob store
# $reason (Text) as the system gave it
damage-unreadable = { damaged-file } cannot be read ({ $reason }): { $blob }.
# $blob (Text) its name in the blob store
# $start (Text) its first two digits
# $company (Text)
# $maker (Text) what makes it again
scrub-remedy =
    { $maker ->
        [Nobody] To do: { remedy-bring-master }.
        [Publish] To do: { remedy-publish }.
       *[other] To do: stop the daemon, run prepress doctor --repair, and start it; then { made-again-by }.
    }
# $role (Text) what the file is to its asset
# $asset (Text) its name
# $company (Text)
# $folder (Text) with the company root folder first
# $blob (Text) its name in the blob store
# $start (Text) its first two digits
# $maker (Text) what makes it again
scrub-gone = { damage-gone } { scrub-remedy }
# $role (Text) what the file is to its asset
# $asset (Text) its name
# $company (Text)
# $folder (Text) with the company root folder first
# $blob (Text) its name in the blob store
# $start (Text) its first two digits
# $maker (Text) what makes it again
# $expected (Number) bytes
# $found (Number) bytes
scrub-size = { damage-size } { scrub-remedy }
# $role (Text) what the file is to its asset
# $asset (Text) its name
# $company (Text)
# $folder (Text) with the company root folder first
# $blob (Text) its name in the blob store
# $start (Text) its first two digits
# $maker (Text) what makes it again
scrub-changed = { damage-changed } { scrub-remedy }
# $role (Text) what the file is to its asset
# $asset (Text) its name
# $company (Text)
# $folder (Text) with the company root folder first
# $blob (Text) its name in the blob store
# $start (Text) its first two digits
# $maker (Text) what makes it again
# $reason (Text) as the system gave it
scrub-unreadable = { damage-unreadable } { scrub-remedy }
# $run (Number) the run that made it
damage-export-gone = The archive of the export of run { $run } is gone.
# $run (Number) the run that made it
# $expected (Number) bytes
# $found (Number) bytes
damage-export-size = The archive of the export of run { $run } has { NUMBER($found) } bytes instead of { NUMBER($expected) }.
# $run (Number) the run that made it
damage-export-changed = The archive of the export of run { $run } was changed, its hash is another one.
# $run (Number) the run that made it
# $reason (Text) as the system gave it
damage-export-unreadable = The archive of the export of run { $run } cannot be read ({ $reason }).

## What the doctor says

doctor-database = The database was looked at.
# $said (Text) as SQLite says it
doctor-database-damaged = The database is damaged: { $said }.
# $count (Number) files
# $bytes (Bytes)
doctor-blobs =
    { $count ->
        [one] 1 file ({ SIZE($bytes) }) belongs to assets.
       *[other] { NUMBER($count) } files ({ SIZE($bytes) }) belong to assets.
    }
# $count (Number) files
doctor-orphans =
    { $count ->
        [one] Nothing refers to 1 more file; Cleanup removes it.
       *[other] Nothing refers to { NUMBER($count) } more files; Cleanup removes them.
    }
# $count (Number) files
doctor-orphans-newer =
    { $count ->
        [one] This older database does not know 1 more file: it may have been uploaded since the backup.
       *[other] This older database does not know { NUMBER($count) } more files: they may have been uploaded since the backup.
    }
# $count (Number) files
# $bytes (Bytes)
doctor-trees =
    { $count ->
        [one] 1 file ({ SIZE($bytes) }) is published.
       *[other] { NUMBER($count) } files ({ SIZE($bytes) }) are published.
    }
# $count (Number) publish contexts
doctor-trees-unlooked =
    { $count ->
        [one] The published files of 1 publish context could not be looked at.
       *[other] The published files of { NUMBER($count) } publish contexts could not be looked at.
    }
# $count (Number) publish contexts
doctor-trees-anew =
    { $count ->
        [one] The trees of 1 publish context are of a later time than the database, and were not looked at: its next publish makes them anew.
       *[other] The trees of { NUMBER($count) } publish contexts are of a later time than the database, and were not looked at: the next publish of each makes them anew.
    }
# $file (Text) in the tree
# $context (Text) publish context
# $company (Text)
doctor-published-gone = { $file } was published to { $context } of { $company }, and is not there.
# $file (Text) in the tree
# $context (Text) publish context
# $company (Text)
doctor-published-changed = { $file } in { $context } of { $company } is not what was published.
# $context (Text) publish context
# $company (Text)
doctor-manifest-changed = The manifest of what was published to { $context } of { $company } does not say what was published.
# $file (Text) in the tree
# $context (Text) publish context
# $company (Text)
doctor-published-stranger = { $file } in { $context } of { $company } was put there by no publish.
# $count (Number) files
# $context (Text) publish context
# $company (Text)
doctor-published-more =
    { $count ->
        [one] So is 1 more file in { $context } of { $company }.
       *[other] So are { NUMBER($count) } more files in { $context } of { $company }.
    }
# $count (Number) files
# $bytes (Bytes)
# $context (Text) publish context
# $company (Text)
doctor-published-linked =
    { $count ->
        [one] 1 file ({ SIZE($bytes) }) in { $context } of { $company } is a link to a stored file: who edits it there changes what is stored.
       *[other] { NUMBER($count) } files ({ SIZE($bytes) }) in { $context } of { $company } are links to stored files: who edits one there changes what is stored.
    }
# $count (Number) files
# $suspects (Number) files
doctor-crashes =
    { $count ->
        [0] No file has ended the daemon
        [one] 1 file has ended the daemon and is not tried any more
       *[other] { NUMBER($count) } files have ended the daemon and are not tried any more
    }; { $suspects ->
        [0] none is under suspicion.
        [one] 1 is under suspicion.
       *[other] { NUMBER($suspects) } are under suspicion.
    }
# $file (Text)
# $content (Text) the beginning of its SHA-256
# $company (Text)
# $run (Number) where it was in work last
# $at (Time) when the daemon found it out
doctor-condemned = { $file } ({ $content }) of { $company } ended the daemon while it was in work alone, in run { $run }; it is not tried any more since { TIME($at, $zone) }.
# $file (Text)
# $content (Text) the beginning of its SHA-256
# $company (Text)
# $run (Number) where it was in work last
doctor-suspect = { $file } ({ $content }) of { $company } was in work when the daemon ended, in run { $run }; when it comes again, it is tried alone.
# $content (Text) the beginning of its SHA-256
doctor-suspect-unnamed = A file ({ $content }) was in work when the daemon ended; when it comes again, it is tried alone.
# $count (Number) archives
# $bytes (Bytes)
doctor-exports =
    { $count ->
        [one] 1 archive of an export ({ SIZE($bytes) }) can be downloaded.
       *[other] { NUMBER($count) } archives of exports ({ SIZE($bytes) }) can be downloaded.
    }
# $reason (Text) as the system gave it
doctor-mark-unreadable = The mark beside the stored files cannot be read ({ $reason }).
doctor-mark-missing = There is no mark beside the stored files that says which database they belong to.
doctor-mark-stranger = The mark beside the stored files is that of another database.
doctor-mark-ahead = The stored or published files have seen more than the database: it is older than they are, as one that was restored from a backup. Cleanup removes nothing.
# $what (Text) what could not be looked at, and why
doctor-mark-unlooked = Whether the database is older than the published files is not known: { $what }. Cleanup removes nothing for as long as that is so.
doctor-mark = The mark beside the stored files was compared with the database.
# $at (Time) when it was noticed
# $run (Number) highest number of a run in the database
# $seen (Number) highest number that the files have seen
doctor-restored = The database is older than the stored files, as one that was restored from a backup: it had come to run { $run }, and they have seen run { $seen }. That was noticed on { TIME($at, $zone) }; Cleanup removes nothing since.
# $at (Time) when it was noticed
doctor-trees-newer = Published files were written later than the database knows of, as where database and stored files were restored from a backup. That was noticed on { TIME($at, $zone) }; the next publishes make them anew, and Cleanup removes nothing since.
# $at (Time) when it was noticed
doctor-mark-lost = The mark beside the stored files was gone, or could not be read, on { TIME($at, $zone) }: nobody can tell whether the database is older than they are, as one that was restored from a backup. Cleanup removes nothing since.
# $maker (Text) what makes it again
made-again-by =
    { $maker ->
        [Optimize] optimizeImagesJob
        [RipPdfs] ripPdfsJob
       *[other] reprocessAssetsJob of the asset, or of what it is a part of,
    } makes it again
# $content (Text) the beginning of its SHA-256
remedy-clear = prepress doctor --clear { $content } lets it be tried again
# $content (Text) the beginning of its SHA-256
remedy-suspect = nothing needs to be done; prepress doctor --clear { $content } takes the suspicion back while no daemon runs
remedy-restore-database = stop the daemon and restore the database of a backup
# $blob (Text) its name in the blob store
# $start (Text) its first two digits
remedy-bring-master = put blobs/{ $start }/{ $blob } back from a backup, or upload the same file again with overwrite
# $company (Text)
remedy-publish = a full publish of { $company } makes it again, or any where there is no full one
# $maker (Text) what makes it again
remedy-forget = prepress doctor --repair has it count as not made yet; then { made-again-by }
# $maker (Text) what makes it again
remedy-forgotten = it counts as not made yet: { made-again-by }
remedy-master-first = its master is not what it should be either: bring that one again first. Nothing else can make this file, and it stays as it is
# $maker (Text) what makes it again
remedy-make-again = { made-again-by }
remedy-copy-back = prepress doctor --repair puts it back from a published copy
remedy-was-copied-back = it was put back from a published copy
remedy-put-back = prepress doctor --repair puts it back from its stored file; so does a full publish, or any where there is no full one
remedy-was-put-back = it was put back from its stored file
remedy-no-blob = its stored file is not what it should be either: bring that one again, then publish in full, or at all where there is no full publish
remedy-write-manifest = prepress doctor --repair writes it again; so does a full publish, or any where there is no full one
remedy-manifest-written = it was written again
remedy-part = prepress doctor --repair gives it room of its own; so does a full publish, or any where there is no full one
remedy-parted = it has room of its own now
remedy-stranger = move it away if it is needed; a full publish removes it, or any where there is no full one
remedy-export = prepress doctor --repair lets it expire; submit the export again
remedy-export-expired = it has expired now; submit the export again
remedy-mark = the daemon writes it at its start, and prepress doctor --repair
remedy-mark-written = written
remedy-unlooked = see that the disk answers and that the daemon's user may read it, and move away what is no file of Prepress
remedy-orphans-newer = once prepress doctor --repair has settled it, Cleanup removes them after its grace: upload them again, or restore a newer database, first
remedy-restored = prepress doctor --repair settles it once nothing else is left to be repaired
remedy-restored-settled = settled; Cleanup removes again what nothing refers to

## Progress of a running job

progress-listing = Listing files
progress-fetching = Fetching files
progress-uploading = Processing files
progress-optimizing = Optimizing files
progress-reprocessing = Processing assets again
progress-publishing = Publishing files
progress-manifest = Starting to generate manifest files.
progress-switching = Switching to the new publish
progress-removing = Removing unpublished files
progress-ripping = Ripping pages
progress-sets = Generating sets
progress-exporting = Exporting files
progress-packing = Packing the archive
progress-metadata = Storing metadata
progress-scrubbing = Looking whether stored files are sound
progress-cleaning = Cleaning up
progress-waiting-client = Waiting for more files from the client
progress-stopping = Stopping at the next safe point
progress-done = Done
# $file (Text) in work now
# $done (Number) items done
# $total (Number) items in all
progress-file = { $file } ({ NUMBER($done) } of { NUMBER($total) } done)

## Why a job waits

# $running (Number) slots in use
# $slots (Number) slots there are
wait-slot = Waits for a free slot ({ $running } of { $slots } in use).
# $kind (Text) a job type of the API
# $running (Number) jobs of the kind that run
# $slots (Number) that may run at once
wait-kind-limit = Waits for a job of the same kind to end ({ kind }: { $running } of { $slots } running).
# $run (Text) running name
wait-previous-run = Waits for the previous run { $run } of the same job to end.
# $context (Text) publish context
# $run (Text) running name
wait-publish-context = Waits for { $run }, which is publishing to { $context }.
# $run (Text) running name
wait-published-videos = Waits for { $run }, which is writing to the published videos.
# $failures (Number) attempts that failed
# $attempts (Number) that may fail
# $at (Time) it begins
# $reason (Text) why the last one failed
wait-retry =
    Is tried again on { TIME($at, $zone) }; { $failures ->
        [one] 1 attempt
       *[other] { $failures } attempts
    } of at most { $attempts } failed, the last one because of this: { $reason }.
# $at (Time) when it looks for room
wait-disk-full = Waits because the disk is full. It looks again on { TIME($at, $zone) }; freeing some room is all it needs.
# $what (Text) what is written to the disk
# $bytes (Bytes) free
# $needed (Bytes) that jobs need
wait-no-room = Waits for room: the disk of the { $what } has { SIZE($bytes) } free, and jobs need { SIZE($needed) }. Freeing some is all it needs; it goes on by itself.
# $what (Text) what is written to the disk
# $bytes (Bytes) free
# $needed (Bytes) that jobs need
wait-no-room-for-files = Waits for room: the disk of the { $what } can take hardly any more files (it has no inodes left), though { SIZE($bytes) } of the { SIZE($needed) } that jobs need are free. Removing files there is all it needs; it goes on by itself.
# $ahead (Number) jobs that come first
wait-turn =
    { $ahead ->
        [0] Is next in its company's turn.
        [one] Waits for its turn among the companies; 1 job is ahead.
       *[other] Waits for its turn among the companies; { NUMBER($ahead) } jobs are ahead.
    }
wait-paused = Its schedule is paused; resume the job to let it fire again.
# $at (Time) next firing
wait-schedule = Fires next on { TIME($at, $zone) }.
# $at (Time) when it was due
wait-company = Was due on { TIME($at, $zone) }, while its company had expired; it runs when the company is open again.
wait-expired = Its company has expired; what falls due meanwhile is skipped.
wait-daemon = The daemon is not running; start its systemd service, or run: prepress serve
# $at (Time) when it is closed without another post
wait-client = The upload is open for more files; without any it is closed on { TIME($at, $zone) }.

## What became of a slot of a schedule

# $run (Text) running name
slot-fired = Fired on time as { $run }.
# $run (Text) running name
# $milliseconds (Milliseconds) late
slot-late = Fired { DURATION($milliseconds) } late as { $run }.
# $run (Text) running name
slot-coalesced = Missed and merged into the run { $run }.
# $run (Text) running name
slot-skipped-overlap = Skipped, because the previous run { $run } was still running.
slot-skipped-paused = Skipped, because the schedule was paused.
# $milliseconds (Milliseconds) late
slot-skipped-misfire = Skipped: noticed { DURATION($milliseconds) } late, and the configuration says that missed slots are skipped.
slot-skipped-expired = Skipped, because the company had expired.
slot-skipped-zone = Skipped, because the server's zone, or its rules, changed before it came.
slots-coalesced = Missed and merged into the next run.
slots-skipped-overlap = Skipped, because the previous run was still running.
slots-skipped-misfire = Skipped, because the configuration says that missed slots are skipped.

## Mail

# $name (Text) job name
letter-subject-begin = { $name }: started
# $parts (Number) pages, layers and renditions
letter-parts =
    { $parts ->
        [one] 1 page or part of a file
       *[other] { NUMBER($parts) } pages or parts of files
    }
# $name (Text) job name
# $processed (Number) files
# $parts (Number) pages, layers and renditions made of them
letter-subject-done =
    { $processed ->
        [0] { $name }: done
        [one] { $name }: done, 1 file
       *[other] { $name }: done, { NUMBER($processed) } files
    }{ $parts ->
        [0] {""}
       *[other] , { letter-parts }
    }
# $name (Text) job name
# $warnings (Number)
letter-subject-warnings =
    { $warnings ->
        [one] { $name }: done with 1 warning
       *[other] { $name }: done with { NUMBER($warnings) } warnings
    }
# $name (Text) job name
# $left-out (Number) files
letter-subject-left-out =
    { $left-out ->
        [one] { $name }: done, but 1 file was left out
       *[other] { $name }: done, but { NUMBER($left-out) } files were left out
    }
# $name (Text) job name
# $errors (Number)
# $left-out (Number) files
letter-subject-errors =
    { $errors ->
        [one] { $name }: done with 1 error
       *[other] { $name }: done with { NUMBER($errors) } errors
    }{ $left-out ->
        [0] {""}
        [one] , 1 file left out
       *[other] , { NUMBER($left-out) } files left out
    }
# $name (Text) job name
# $errors (Number)
# $left-out (Number) files
letter-subject-errors-only =
    { $errors ->
        [one] { $name }: nothing was processed, 1 error
       *[other] { $name }: nothing was processed, { NUMBER($errors) } errors
    }{ $left-out ->
        [0] {""}
        [one] , 1 file left out
       *[other] , { NUMBER($left-out) } files left out
    }
# $name (Text) job name
# $processed (Number) files
# $parts (Number) pages, layers and renditions made of them
letter-subject-failed =
    { $processed ->
        [0] { $name }: failed
        [one] { $name }: failed after 1 file
       *[other] { $name }: failed after { NUMBER($processed) } files
    }{ $parts ->
        [0] {""}
       *[other] , { letter-parts }
    }
# $name (Text) job name
# $processed (Number) files
# $parts (Number) pages, layers and renditions made of them
letter-subject-stopped =
    { $processed ->
        [0] { $name }: stopped
        [one] { $name }: stopped after 1 file
       *[other] { $name }: stopped after { NUMBER($processed) } files
    }{ $parts ->
        [0] {""}
       *[other] , { letter-parts }
    }
letter-badge-begin = Started
letter-badge-done = Done
letter-badge-warnings = Done with warnings
letter-badge-errors = Done with errors
letter-badge-failed = Failed
letter-badge-stopped = Stopped
letter-lead-begin = The job has started. You will get another mail when it ends.
# $processed (Number) files
# $parts (Number) pages, layers and renditions made of them
# $removed (Number) files that are published no more
letter-lead-done =
    { $parts ->
        [0] { $processed ->
            [0] The job ran to its end. { $removed ->
                [0] Nothing had to be processed.
                [one] 1 file was removed.
               *[other] { NUMBER($removed) } files were removed.
            }
            [one] The job ran to its end: 1 file, no problems.
           *[other] The job ran to its end: { NUMBER($processed) } files, no problems.
        }
       *[other] { $processed ->
            [one] The job ran to its end: 1 file, { letter-parts }, no problems.
           *[other] The job ran to its end: { NUMBER($processed) } files, { letter-parts }, no problems.
        }
    }
# $processed (Number) files
# $parts (Number) pages, layers and renditions made of them
# $warnings (Number)
letter-lead-warnings =
    The job ran to its end: { $processed ->
        [one] 1 file
       *[other] { NUMBER($processed) } files
    }{ $parts ->
        [0] {""}
       *[other] , { letter-parts }
    } processed, and { $warnings ->
        [one] 1 warning to look at
       *[other] { NUMBER($warnings) } warnings to look at
    }.
# $processed (Number) files
# $parts (Number) pages, layers and renditions made of them
# $parts-asked (Number) these, and those that could not be made
# $errors (Number)
# $warnings (Number)
letter-lead-errors =
    The job ran to its end, but { $parts-asked ->
        [0] { $errors ->
            [one] 1 file was not processed
           *[other] { NUMBER($errors) } files were not processed
        }. { $warnings ->
            [0] { $processed ->
                [0] No other file was processed.
                [one] 1 other file is fine.
               *[other] The other { NUMBER($processed) } files are fine.
            }
           *[other] { $processed ->
                [0] No other file was processed.
                [one] 1 other file was processed.
               *[other] The other { NUMBER($processed) } files were processed.
            } { $warnings ->
                [one] There is 1 warning to look at as well.
               *[other] There are { NUMBER($warnings) } warnings to look at as well.
            }
        }
       *[other] { $errors ->
            [one] 1 file or part of one was not processed
           *[other] { NUMBER($errors) } files or parts of files were not processed
        }. Processed: { $processed ->
            [one] 1 file
           *[other] { NUMBER($processed) } files
        }{ $parts ->
            [0] {""}
           *[other] , { letter-parts }
        }. { $warnings ->
            [0] {""}
            [one] There is 1 warning to look at as well.
           *[other] There are { NUMBER($warnings) } warnings to look at as well.
        }
    }
# $reason (Text)
letter-lead-failed = The job could not be finished: { $reason }.
# $user (Text) who asked
# $done (Number) files and steps that were done
# $items (Number) those that there are; 0: nobody has counted them yet
letter-lead-stopped =
    The job was stopped by { $user }{ $items ->
        [0] .
       *[other] { " " }after { NUMBER($done) } of { NUMBER($items) } items: the rest was not done.
    } What was processed before that stays.
letter-label-company = Company
letter-label-run = Run
letter-label-kind = Kind
letter-label-description = Description
letter-label-started = Started
letter-label-ended = Ended
letter-label-took = Took
letter-label-attempts = Attempts
# $attempt (Number) the one that ended the job
# $attempts (Number) that may fail
letter-attempts = { $attempt } made; at most { $attempts } may fail
letter-count-success = Processed
letter-count-updated = Updated
letter-count-parts = Of these, pages and parts of files
letter-count-duplicates = Duplicates skipped
letter-count-left-out = Left out
letter-count-warnings = Warnings
letter-count-removed = Removed
letter-count-errors = Errors
letter-count-total = Files in total
# $count (Number) shown and not shown
letter-problems-title =
    { $count ->
        [one] 1 problem
       *[other] { NUMBER($count) } problems
    }
letter-problem-error = Error
letter-problem-warning = Warning
# $count (Number) not shown
letter-problems-more =
    { $count ->
        [one] and 1 more
       *[other] and { NUMBER($count) } more
    }
letter-results-title = Where the results are
# $folder (Text) with the company root
letter-result-folder = Assets in the folder { $folder }
# $path (Text)
letter-result-published = Published under { $path }
# $address (Text)
# $at (Time) when the download ends
letter-result-download = Download until { TIME($at, $zone) }: { $address }
# $path (Text) behind the address of the server, which is not known
# $at (Time) when the download ends
letter-result-download-path = Download until { TIME($at, $zone) }, on the server to which the job was sent: { $path }
letter-more-command = On the server, the whole log is shown by
letter-more-link = Open the job in the console
# $setting (Text) email setting of the job
letter-footer =
    { $setting ->
        [All] You get this mail because the job was submitted for you with the mail setting All: beginning, end and problems.
        [Error] You get this mail because the job was submitted for you with the mail setting Error: errors only.
        [ErrorAndWarning] You get this mail because the job was submitted for you with the mail setting ErrorAndWarning: errors and warnings.
        [JobCompletion] You get this mail because the job was submitted for you with the mail setting JobCompletion: the end of the job.
       *[other] You get this mail because the job was submitted for you.
    }
letter-sender = Prepress
