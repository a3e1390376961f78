import { type Covering, keepRawBody, type NodeRequest } from '@oncekey/node'
import { type KoaContext, parsedBodyOf, routeOf } from './koa-context.ts'
import type { IdempotencyOptions } from './options.ts'

/** Describes a Koa context in the terms of `@oncekey/node`. */
export function coveringOf<Ctx extends KoaContext>(
  ctx: Ctx,
  {
    scope,
    fingerprint,
    waitMs,
    maxRequestBytes,
  }: Pick<
    IdempotencyOptions<unknown, Ctx>,
    'scope' | 'fingerprint' | 'waitMs' | 'maxRequestBytes'
  > & { readonly maxRequestBytes: number },
): Covering<NodeRequest> {
  const { body: parsed, rawBody } = parsedBodyOf(ctx)
  // Uses the text that a parser kept, because it tells integers over 2^53 apart and the parsed
  // value does not.
  if (typeof rawBody === 'string') keepRawBody(ctx.req, undefined, Buffer.from(rawBody))
  return {
    scope: typeof scope === 'string' ? scope : () => scope(ctx),
    target: ctx.originalUrl,
    native: ctx,
    route: () => routeOf(ctx),
    body: { maxBytes: maxRequestBytes, hint: READ_BEFORE, parsed },
    ...(fingerprint && { fingerprint: (_, bytes) => fingerprint(ctx, bytes) }),
    ...(waitMs !== undefined && { waitMs }),
  }
}

const READ_BEFORE =
  'It was read before idempotency(). Let what reads it leave it in `ctx.request.body`, or say what counts with `fingerprint: (ctx) => …`.'
