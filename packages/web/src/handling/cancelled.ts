/**
 * Cancels a body in a later turn of the event loop than it was read in. A stream of Node's, as
 * `Readable.toWeb` makes it, may still be about to hand on what it holds. Cancelled before that, it
 * ends the process by an error that nobody can catch: `Controller is already closed`.
 */
export async function cancelled(source: Cancellable, reason?: unknown): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0))
  await source.cancel(reason)
}

type Cancellable = Pick<ReadableStream | ReadableStreamDefaultReader, 'cancel'>
