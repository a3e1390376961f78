import type { FastifyInstance, FastifyReply } from 'fastify'

/**
 * Notes on each reply that something was sent. `reply.sent` does not say it: as long as an async
 * `preSerialization` or `onSend` hook works on the payload, Fastify takes the reply for unsent. It
 * then goes on with the hooks of the request, although one of them sent a refusal (and did not
 * return the reply). `send` is wrapped because no hook can be placed before those that were added
 * earlier.
 */
export function noteSends(fastify: FastifyInstance): void {
  let inherited: Send | undefined
  const send: Send = function send(this: NotedReply, payload) {
    inherited ??= inheritedBy(this, send)
    const before = this[SENDS] === true
    this[SENDS] = true
    try {
      return inherited.call(this, payload)
    } catch (error) {
      // Nothing was sent, so something else may be.
      this[SENDS] = before
      throw error
    }
  }
  const { decorateReply } = fastify as unknown as { decorateReply: Decorate }
  decorateReply.call(fastify, SENDS, false)
  decorateReply.call(fastify, 'send', send)
}

/** Whether something was sent on a reply, even if it is still in the hands of the app's hooks. */
export function isSent(reply: FastifyReply): boolean {
  return reply.sent || (reply as NotedReply)[SENDS] === true
}

/** The `send` of the prototype behind the one that `own` is on. */
function inheritedBy(reply: FastifyReply, own: Send): Send {
  let prototype = Object.getPrototypeOf(reply)
  while (!Object.hasOwn(prototype, 'send') || prototype.send !== own) {
    prototype = Object.getPrototypeOf(prototype)
  }
  return Object.getPrototypeOf(prototype).send
}

const SENDS: unique symbol = Symbol('oncekey.sends')

interface NotedReply extends FastifyReply {
  [SENDS]?: boolean
}

type Send = (this: NotedReply, payload?: unknown) => FastifyReply
type Decorate = (name: string | symbol, value: unknown) => void
