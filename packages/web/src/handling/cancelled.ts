/**
 * Cancels a body in a later turn of the event loop than the one in which it was read. A web stream
 * that Node's `Readable.toWeb` made may still be about to pass on buffered data. If it is cancelled
 * before that, the stream throws `Controller is already closed` where nobody can catch the error,
 * and the process ends.
 */
export async function cancelled(source: Cancellable, reason?: unknown): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0))
  await source.cancel(reason)
}

type Cancellable = Pick<ReadableStream | ReadableStreamDefaultReader, 'cancel'>
