import type { Answer, HandlerRun, PlainResponse } from '@oncekey/core'
import type { HeldResponse } from '@oncekey/node'
import type { FastifyRequest } from 'fastify'
import type { Coverage } from '../coverage/coverage.ts'
import type { ChosenBy } from '../coverage/route-constraints.ts'
import type { Collection, Source } from '../reply/collect.ts'
import type { ReplyHeaders } from '../reply/reply-headers.ts'
import type { ReplyTrailers } from '../reply/reply-trailers.ts'
import type { KeptBody } from '../request/kept-body.ts'

/**
 * One request on a covered route, from its body to the end of its response.
 *
 *   unclaimed ──the claim won──▶ open ──the first payload──▶ finishing ──the verdict──▶ over
 *   unclaimed ──a replay or a problem──▶ answered ──sent──▶ over
 *   finishing ──the stream broke: the app's error handler answers──▶ open
 *   open, finishing a stream ──the raw response is written to, or no answer in time──▶ raw
 *
 * `raw`: the response is held back as one of `node:http`, whose verdict is asked for and carried out there.
 */
export interface Exchange {
  readonly coverage: Coverage
  readonly chosenBy: ChosenBy | undefined
  phase: 'unclaimed' | 'answered' | 'open' | 'finishing' | 'raw' | 'over'
  body: KeptBody | undefined
  run: HandlerRun | undefined
  /** Headers that were set before the handler: not its own, so neither stored nor taken back. */
  before: ReplyHeaders
  trailersBefore: ReplyTrailers
  /** `answered`: what is sent instead of a handler's response. */
  answer: PlainResponse | undefined
  /** The engine gave the handler up; what is collected meanwhile is worth nothing. */
  interruption: Answer | undefined
  /** The stream that was sent, until it is stopped. */
  source: Source | undefined
  /** While it is read. */
  collection: Collection | undefined
  /** Whether the reply says that it was sent, though nothing has left. */
  countsAsSent: boolean
  /** `raw`. */
  held: HeldResponse | undefined
  /** What the handler returned. */
  returned: unknown
}

/** A symbol, so that what an app may see of a request is `request.idempotency` alone. */
export const EXCHANGE: unique symbol = Symbol('oncekey.exchange')

/** The exchange of a request; `null` on routes that the plugin has not seen. */
export function exchangeOf(request: FastifyRequest): Exchange | null {
  return (request as ExchangedRequest)[EXCHANGE]
}

/** Begins the exchange of a request. */
export function beginExchange(
  request: FastifyRequest,
  coverage: Coverage,
  chosenBy?: ChosenBy,
): Exchange {
  const exchange: Exchange = {
    coverage,
    chosenBy,
    phase: 'unclaimed',
    body: undefined,
    run: undefined,
    before: NO_HEADERS,
    trailersBefore: null,
    answer: undefined,
    interruption: undefined,
    source: undefined,
    collection: undefined,
    countsAsSent: false,
    held: undefined,
    returned: undefined,
  }
  ;(request as ExchangedRequest)[EXCHANGE] = exchange
  return exchange
}

interface ExchangedRequest extends FastifyRequest {
  [EXCHANGE]: Exchange | null
}

const NO_HEADERS: ReplyHeaders = {}
