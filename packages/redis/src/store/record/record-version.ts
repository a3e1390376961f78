/**
 * The format of the records that this release writes, and the only one it reads. A new one is read
 * by one release before another writes it, so that two consecutive releases can share a Redis.
 */
export const RECORD_VERSION = '1'
