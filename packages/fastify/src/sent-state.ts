import type { FastifyReply } from 'fastify'

/**
 * Fields of Node's own by which Node and Fastify tell how far a response is. While the verdict on a
 * whole response is out it was sent, as far as its handler can see: `reply.sent` and `headersSent`
 * are true, and what is sent or set after it is what it would be without this plugin.
 */
interface Sent {
  _header: string | null
  finished: boolean
}

/** From now on the reply counts as sent. HTTP/2 has no such fields: there a later payload is dropped. */
export function countAsSent({ raw, request }: FastifyReply): void {
  if (request.raw.httpVersionMajor > 1 || raw.headersSent) return
  const sent = raw as unknown as Sent
  sent._header = 'held back'
  sent.finished = true
}

/** The verdict is in, and Fastify is to send something. Whether it still can. */
export function countAsUnsent({ raw }: FastifyReply): boolean {
  const sent = raw as unknown as Sent
  if (sent._header === 'held back') {
    sent._header = null
    sent.finished = false
  }
  return !raw.headersSent
}
