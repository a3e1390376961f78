/** The format of the records that this release writes, and the only one it reads. */
export const RECORD_VERSION = '1'
