/**
 * What the client asked for, as `tag:digest`. The tag names the algorithm and is stored with the
 * digest, so that a deploy which changes the algorithm does not turn retries into 422s: a claim
 * carries the fingerprints of every algorithm still accepted.
 */
export type Fingerprint = string
