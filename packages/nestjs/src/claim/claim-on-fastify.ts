import type { HttpServer } from '@nestjs/common'
import { OptionsError } from '@oncekey/core'
import type { BodyKeeping, LateIdempotency } from '@oncekey/fastify/late'
import { hideHangUp } from '@oncekey/node'
import type { Coverages } from '../routes/coverage.ts'
import { GUARDS, isRoute } from '../routes/metadata.ts'
import { IdempotencyGuard } from './guard.ts'
import { lateGuard } from './late-guard.ts'
import { releaseRejected } from './note-rejections.ts'
import type { Claim } from './runtime.ts'

type FastifyRequest = Parameters<LateIdempotency['claim']>[0]
type RouteOptions = { readonly handler: object }

/**
 * Prepares claims on Fastify: puts hooks on every route that Nest is about to register. They keep
 * the body, as received, of each request that may be covered, up to the limit of its route.
 */
export async function claimOnFastify(adapter: HttpServer, coverages: Coverages): Promise<Claim> {
  const { lateIdempotency } = await load()
  const late = lateIdempotency(keeping(coverages), mayCover)
  await adapter.getInstance().register(late.plugin)
  return async (context, coverage, parts) => {
    const http = context.switchToHttp()
    const request = http.getRequest<FastifyRequest>()
    const { over, run } = await late.claim(request, http.getResponse(), coverage, parts)
    releaseRejected(request, run)
    hideHangUp(request.raw, over)
  }
}

/**
 * Nest registers a handler with the metadata of the controller's method. Where it wraps that
 * handler (Nest 12 does for a path with parameters), nothing is known of the route, and it may be
 * covered.
 */
function mayCover({ handler }: RouteOptions): boolean {
  const guards: unknown[] = Reflect.getMetadata(GUARDS, handler) ?? []
  return !isRoute(handler) || guards.includes(IdempotencyGuard) || guards.includes(lateGuard)
}

/** The controller's method is not known yet, so as much of the body is kept as any route needs. */
function keeping(coverages: Coverages): (request: FastifyRequest) => BodyKeeping {
  const engines = coverages.all().map(({ engine }) => engine)
  const all = engines.map(({ options }) => options)
  const headers = [...new Set(all.flatMap((options) => options.headers))]
  const isWhole = all.some(
    ({ authenticate, key }) => authenticate !== undefined || key !== undefined,
  )
  return ({ method, raw }) => {
    if (!engines.some((engine) => engine.covers(method))) return 'none'
    if (isWhole) return 'whole'
    return headers.some((name) => raw.headers[name] !== undefined) ? 'compared' : 'none'
  }
}

async function load(): Promise<typeof import('@oncekey/fastify/late')> {
  try {
    return await import('@oncekey/fastify/late')
  } catch (cause) {
    throw new OptionsError(
      `IdempotencyModule needs @oncekey/fastify where Nest runs on Fastify: npm install @oncekey/fastify. (${(cause as Error).message})`,
    )
  }
}
