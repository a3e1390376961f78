import type { IncomingMessage } from 'node:http'

/**
 * Puts a body back that was read to its end, for the next reader. Node destroys a request whose
 * client hangs up, and a destroyed stream gives out nothing that it still has: a body parser that
 * comes after the claim would refuse a request that was received whole (`@koa/bodyparser` answers
 * 499), and that answer would be kept for the retry. So Node's own `destroy` is left out until the
 * body has been read; after that the stream destroys itself. A `destroy` of the app counts.
 */
export function putBack(req: IncomingMessage, bytes: Uint8Array): void {
  req.unshift(bytes)
  req.destroy = destroyUnlessGone
  req.once('end', forget)
}

function destroyUnlessGone(this: IncomingMessage, error?: Error): IncomingMessage {
  if (isByNode(error) && !this.readableEnded) return this
  forget.call(this)
  return this.destroy(error)
}

/** An upstream's connection may have been reset too; Node's own error for a request is this one. */
function isByNode(error: NodeJS.ErrnoException | undefined): boolean {
  return error?.code === 'ECONNRESET' && error.message === 'aborted'
}

function forget(this: IncomingMessage): void {
  Reflect.deleteProperty(this, 'destroy')
}
