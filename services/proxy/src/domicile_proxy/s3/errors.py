"""Errors as S3 answers them: status, code, XML document. Pure.

Codes, statuses and most texts: S3 API reference, "Error responses". Only ``RequestError`` says what was wrong, because its text was
written for the caller; everything else shows the code's standard text and leaves its own to the log.
"""

from __future__ import annotations

from typing import NamedTuple

from domicile_common.errors import BackendError, RequestError, Unavailable
from domicile_proxy.s3.xml import HEAD, show

_BAD_REQUEST, _FORBIDDEN, _NOT_FOUND, _CONFLICT = 400, 403, 404, 409

CODES: dict[str, tuple[int, str]] = {
    # --- who asks ---
    "AccessDenied": (_FORBIDDEN, "Access Denied"),
    "AuthorizationHeaderMalformed": (_BAD_REQUEST, "The authorization header that you provided is not valid."),
    "AuthorizationQueryParametersError": (_BAD_REQUEST, "The authorization query parameters that you provided are not valid."),
    "CredentialsNotSupported": (_BAD_REQUEST, "This request does not support credentials."),
    "ExpiredToken": (_BAD_REQUEST, "The provided token has expired."),
    "InvalidAccessKeyId": (_FORBIDDEN, "The AWS Access Key Id you provided does not exist in our records."),
    "InvalidSecurity": (_FORBIDDEN, "The provided security credentials are not valid."),
    "InvalidToken": (_BAD_REQUEST, "The provided token is malformed or otherwise not valid."),
    "MissingSecurityHeader": (_BAD_REQUEST, "Your request is missing a required header."),
    "RequestExpired": (_BAD_REQUEST, "Request has expired."),
    "QuotaExceeded": (_FORBIDDEN, "The quota of the bucket's owner is used up."),
    "RequestTimeTooSkewed": (_FORBIDDEN, "The difference between the request time and the server's time is too large."),
    "SignatureDoesNotMatch": (
        _FORBIDDEN,
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    ),
    # --- the request's form ---
    "InvalidArgument": (_BAD_REQUEST, "Invalid Argument"),
    "InvalidRequest": (_BAD_REQUEST, "Invalid Request"),
    "InvalidURI": (_BAD_REQUEST, "Couldn't parse the specified URI."),
    "IncorrectNumberOfFilesInPostRequest": (_BAD_REQUEST, "POST requires exactly one file upload per request."),
    "InvalidPolicyDocument": (
        _BAD_REQUEST,
        "The content of the form does not meet the conditions specified in the policy document.",
    ),
    "MalformedPOSTRequest": (_BAD_REQUEST, "The body of your POST request is not well-formed multipart/form-data."),
    "MaxPostPreDataLengthExceededError": (
        _BAD_REQUEST,
        "Your POST request fields preceding the upload file were too large.",
    ),
    "MalformedXML": (_BAD_REQUEST, "The XML you provided was not well-formed or did not validate against our published schema."),
    "MaxMessageLengthExceeded": (_BAD_REQUEST, "Your request was too big."),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "MissingRequestBodyError": (_BAD_REQUEST, "Request body is empty."),
    "NotImplemented": (501, "A header you provided implies functionality that is not implemented."),
    "RequestHeaderSectionTooLarge": (_BAD_REQUEST, "Your request header section exceeds the maximum allowed size."),
    "RequestTimeout": (
        _BAD_REQUEST,
        "Your socket connection to the server was not read from or written to within the timeout period.",
    ),
    "UnexpectedContent": (_BAD_REQUEST, "This request does not support content"),
    "UnsupportedArgument": (_BAD_REQUEST, "The request contained an unsupported argument."),
    # --- the body ---
    "BadDigest": (_BAD_REQUEST, "The Content-MD5 or checksum value that you specified did not match what the server received."),
    "EntityTooLarge": (_BAD_REQUEST, "Your proposed upload exceeds the maximum allowed object size."),
    "EntityTooSmall": (_BAD_REQUEST, "Your proposed upload is smaller than the minimum allowed object size."),
    "IncompleteBody": (_BAD_REQUEST, "You did not provide the number of bytes specified by the Content-Length HTTP header."),
    "InvalidDigest": (_BAD_REQUEST, "The Content-MD5 or checksum value that you specified is not valid."),
    "InvalidChunkSizeError": (_FORBIDDEN, "Only the last chunk is allowed to have a size less than 8192 bytes"),
    "MalformedTrailerError": (_BAD_REQUEST, "The request contained trailing data that was not well-formed."),
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "XAmzContentChecksumMismatch": (_BAD_REQUEST, "The provided 'x-amz-checksum' header does not match what was computed."),
    "XAmzContentSHA256Mismatch": (_BAD_REQUEST, "The provided 'x-amz-content-sha256' header does not match what was computed."),
    # --- buckets ---
    "BucketAlreadyExists": (_CONFLICT, "The requested bucket name is not available. Select a different name and try again."),
    "BucketAlreadyOwnedByYou": (_CONFLICT, "Your previous request to create the named bucket succeeded and you already own it."),
    "BucketNotEmpty": (_CONFLICT, "The bucket that you tried to delete is not empty."),
    "IllegalLocationConstraintException": (
        _BAD_REQUEST,
        "The specified location constraint is incompatible for the region this request was sent to.",
    ),
    "InvalidBucketName": (_BAD_REQUEST, "The specified bucket is not valid."),
    "IllegalVersioningConfigurationException": (
        _BAD_REQUEST,
        "The versioning configuration specified in the request is not valid.",
    ),
    "InvalidBucketState": (_CONFLICT, "The request is not valid with the current state of the bucket."),
    "InvalidLocationConstraint": (_BAD_REQUEST, "The specified location (Region) constraint is not valid."),
    "NoSuchBucket": (_NOT_FOUND, "The specified bucket does not exist"),
    "OperationAborted": (
        _CONFLICT,
        "A conflicting conditional operation is currently in progress against this resource. Try again.",
    ),
    "TooManyBuckets": (_BAD_REQUEST, "You have attempted to create more buckets than allowed."),
    # --- a bucket's settings ---
    "AccessControlListNotSupported": (_BAD_REQUEST, "The bucket does not allow ACLs"),
    "BadRequest": (_BAD_REQUEST, "Insufficient information. Origin request header needed."),
    "AccessForbidden": (_FORBIDDEN, "CORSResponse: This CORS request is not allowed."),
    "InvalidBucketAclWithObjectOwnership": (
        _BAD_REQUEST,
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    ),
    "MalformedACLError": (
        _BAD_REQUEST,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    "MalformedPolicy": (_BAD_REQUEST, "Policy has invalid syntax"),
    "OwnershipControlsNotFoundError": (_NOT_FOUND, "The bucket ownership controls were not found"),
    "UnresolvableGrantByEmailAddress": (_BAD_REQUEST, "The e-mail address you provided does not match any account on record."),
    "NoSuchBucketPolicy": (_NOT_FOUND, "The bucket policy does not exist"),
    "NoSuchCORSConfiguration": (_NOT_FOUND, "The CORS configuration does not exist"),
    "NoSuchLifecycleConfiguration": (_NOT_FOUND, "The lifecycle configuration does not exist"),
    "InvalidRetentionPeriod": (_BAD_REQUEST, "The retention period must be a positive integer value."),
    "NoSuchObjectLockConfiguration": (_NOT_FOUND, "The specified object does not have a ObjectLock configuration"),
    "NoSuchPublicAccessBlockConfiguration": (_NOT_FOUND, "The public access block configuration was not found"),
    "NoSuchTagSet": (_NOT_FOUND, "The TagSet does not exist"),
    "NoSuchWebsiteConfiguration": (_NOT_FOUND, "The specified bucket does not have a website configuration"),
    "ObjectLockConfigurationNotFoundError": (_NOT_FOUND, "Object Lock configuration does not exist for this bucket"),
    "ReplicationConfigurationNotFoundError": (_NOT_FOUND, "The replication configuration was not found"),
    "ServerSideEncryptionConfigurationNotFoundError": (_NOT_FOUND, "The server side encryption configuration was not found"),
    # --- objects ---
    "ConditionalRequestConflict": (_CONFLICT, "A conflicting operation occurred. If using PutObject you can retry the request."),
    "InvalidObjectState": (_FORBIDDEN, "The action is not valid for the object's storage class."),
    "InvalidPartNumber": (416, "The requested partnumber is not satisfiable"),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    "InvalidStorageClass": (_BAD_REQUEST, "The storage class you specified is not valid"),
    "InvalidTag": (_BAD_REQUEST, "The tag provided was not a valid tag."),
    "InvalidRedirectLocation": (
        _BAD_REQUEST,
        "The website redirect location must have a prefix of 'http://', 'https://' or '/'.",
    ),
    "KeyTooLongError": (_BAD_REQUEST, "Your key is too long"),
    "MetadataTooLarge": (_BAD_REQUEST, "Your metadata headers exceed the maximum allowed metadata size"),
    "NoSuchKey": (_NOT_FOUND, "The specified key does not exist."),
    "NoSuchVersion": (_NOT_FOUND, "The specified version does not exist."),
    "PreconditionFailed": (412, "At least one of the pre-conditions you specified did not hold"),
    "UserKeyMustBeSpecified": (_BAD_REQUEST, "The object key must be specified."),
    # --- multipart uploads ---
    "InvalidPart": (_BAD_REQUEST, "One or more of the specified parts could not be found, or their entity tags do not match."),
    "InvalidPartOrder": (_BAD_REQUEST, "The list of parts was not in ascending order by part number."),
    "NoSuchUpload": (_NOT_FOUND, "The specified upload does not exist. It may have been aborted or completed."),
    # --- not the caller's fault ---
    "InternalError": (500, "We encountered an internal error. Please try again."),
    "ServiceUnavailable": (503, "Service is unable to handle request. Please try again."),
    "SlowDown": (503, "Please reduce your request rate."),
}

RETRY_AFTER_SECONDS = 1
_MARKER = "DeleteMarker"


class Failure(NamedTuple):
    """``status``: HTTP status. ``detail``: further elements of the document, by element name."""

    status: int
    code: str
    message: str
    detail: dict[str, str]

    @property
    def headers(self) -> dict[str, str]:
        """Whether a delete marker stands where the key was looked for is told in headers, to HEAD as well."""
        if self.status == CODES["SlowDown"][0]:
            return {"retry-after": self.detail.get("RetryAfterSeconds", str(RETRY_AFTER_SECONDS))}
        if _MARKER in self.detail:
            told = {"x-amz-delete-marker": self.detail[_MARKER], "x-amz-version-id": self.detail["VersionId"]}
            if self.code == "MethodNotAllowed":  # the marker itself was asked for
                told |= {"allow": "DELETE"} | (
                    {"last-modified": self.detail["LastModified"]} if "LastModified" in self.detail else {}
                )
            return told
        return {"x-amz-delete-marker": "false"} if self.code == "NoSuchKey" else {}


def describe(error: BaseException) -> Failure:
    """What the caller may know of an error; anything that is not for the caller is an InternalError without details."""
    if isinstance(error, RequestError):
        # A code from a newer metadata service is still the caller's to act upon.
        status, message = CODES.get(error.code, (_BAD_REQUEST, error.code))
        return Failure(status, error.code, error.message or message, error.detail)
    if isinstance(error, Unavailable):
        code = "SlowDown"
    elif isinstance(error, BackendError):  # whatever a backend did wrong, it is not the only one, and may do right the next time
        code = "ServiceUnavailable"
    else:
        code = "InternalError"
    status, message = CODES[code]
    return Failure(status, code, message, {})


def render(failure: Failure, request_id: str, resource: str) -> bytes:
    """The error document. ``resource``: bucket or object as the caller named it, ``/bucket/key``."""
    told = {"Key": failure.detail["Key"]} if _MARKER in failure.detail else failure.detail
    detail = "".join(f"<{name}>{show(value)}</{name}>" for name, value in told.items())
    return (
        f"{HEAD}<Error><Code>{show(failure.code)}</Code><Message>{show(failure.message)}</Message>{detail}"
        f"<Resource>{show(resource)}</Resource><RequestId>{show(request_id)}</RequestId></Error>"
    ).encode()
