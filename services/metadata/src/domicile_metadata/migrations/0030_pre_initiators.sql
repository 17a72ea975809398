-- Who began a multipart upload: S3 shows it beside the owner of what it will become, and lets that one look at the upload and end it.
ALTER TABLE intents ADD COLUMN initiator json;
