/**
 * Codes of the system that say that this process or host has no more files, sockets or memory, so
 * that nothing was sent. They say nothing of the endpoint.
 */
export const LOCAL_LIMITS: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'])
