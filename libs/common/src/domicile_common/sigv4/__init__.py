"""AWS Signature Version 4 as S3 reads it: one code for verifying clients and for signing to backends. Pure.

canonical  what is signed: path, query and headers as S3 sees them
keys       the derived key, the string to sign, the signature
verify     the way in: ``parse`` a request to a ``Claim``, then ``verify`` it with the secret
header     claims made in the Authorization header
presigned  claims made in the query
version2   claims of the version before, in the query
sign       the way out: ``Signer`` for the Authorization header and for presigned URLs
streaming  the chain of signatures over the chunks of a body

Source: "Authenticating Requests (AWS Signature Version 4)" of the Amazon S3 API reference.
"""
