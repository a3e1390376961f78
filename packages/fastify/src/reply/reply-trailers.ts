import type { FastifyReply } from 'fastify'

/** A reply's trailers at one moment: functions by their names, `null` where there are none. */
export type ReplyTrailers = Readonly<Record<string, unknown>> | null

/** Whether there are any. */
export function hasTrailers(reply: FastifyReply): boolean {
  return (reply as unknown as WithTrailers)[symbolOf(reply)] != null
}

/** The trailers as they are now. */
export function trailersOf(reply: FastifyReply): ReplyTrailers {
  const trailers = (reply as unknown as WithTrailers)[symbolOf(reply)] ?? null
  return trailers === null ? null : { ...trailers }
}

/** Takes back whatever was added since. `removeTrailer` has to be told each name, and leaves the header. */
export function restoreTrailers(reply: FastifyReply, then: ReplyTrailers): void {
  ;(reply as unknown as WithTrailers)[symbolOf(reply)] = then
}

type WithTrailers = Record<symbol, ReplyTrailers>

/** Fastify has a function to add one and a function to remove one, and none to list them. */
function symbolOf(reply: FastifyReply): symbol {
  symbol ??= Object.getOwnPropertySymbols(reply).find(
    ({ description }) => description === 'fastify.reply.trailers',
  )
  return symbol as symbol
}

let symbol: symbol | undefined
