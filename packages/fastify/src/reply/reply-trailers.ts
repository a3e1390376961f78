import type { FastifyReply } from 'fastify'

/** A reply's trailers at one moment: functions by name, or `null`. */
export type ReplyTrailers = Readonly<Record<string, unknown>> | null

/** Whether the reply has trailers. */
export function hasTrailers(reply: FastifyReply): boolean {
  return (reply as unknown as WithTrailers)[symbolOf(reply)] != null
}

/** The current trailers. */
export function trailersOf(reply: FastifyReply): ReplyTrailers {
  const trailers = (reply as unknown as WithTrailers)[symbolOf(reply)] ?? null
  return trailers === null ? null : { ...trailers }
}

/**
 * Removes trailers added since `then`. `removeTrailer` needs each name, and leaves the `Trailer`
 * header in place.
 */
export function restoreTrailers(reply: FastifyReply, then: ReplyTrailers): void {
  ;(reply as unknown as WithTrailers)[symbolOf(reply)] = then
}

type WithTrailers = Record<symbol, ReplyTrailers>

/** Fastify has functions to add and remove a trailer but none to list them. */
function symbolOf(reply: FastifyReply): symbol {
  symbol ??= Object.getOwnPropertySymbols(reply).find(
    ({ description }) => description === 'fastify.reply.trailers',
  )
  return symbol as symbol
}

let symbol: symbol | undefined
