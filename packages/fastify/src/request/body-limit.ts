import type { FastifyRequest, RouteOptions } from 'fastify'

/**
 * The most that the app takes of a body, as Fastify itself decides it: the route's own limit, or
 * else that of the parser of its content type, which is the server's unless the parser has one.
 * Fastify holds only those parsers to it that get the body in one piece. `route` is read with each
 * request, because plugins may set its limit after ours has seen it. Bytes.
 */
export function bodyLimitOf(
  request: FastifyRequest,
  route: Pick<RouteOptions, 'bodyLimit'>,
): number {
  return route.bodyLimit ?? parserLimitOf(request) ?? request.routeOptions.bodyLimit ?? 0
}

/** Fastify offers a parser's limit nowhere. Without the symbol the server's counts. */
function parserLimitOf({ server, raw }: FastifyRequest): number | undefined {
  const parsers = Object.getOwnPropertySymbols(server).find(
    ({ description }) => description === 'fastify.contentTypeParser',
  )
  const contentTypeParser: Parsers | undefined = parsers && Reflect.get(server, parsers)
  return contentTypeParser?.getParser?.(raw.headers['content-type'] ?? '')?.bodyLimit
}

interface Parsers {
  getParser?(contentType: string): { readonly bodyLimit?: number } | undefined
}
