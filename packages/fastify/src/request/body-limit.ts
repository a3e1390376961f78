import type { FastifyRequest } from 'fastify'

/**
 * The most that the app takes of a body: the limit of its route, of the server, or of the parser of
 * its content type, whichever is larger. Fastify itself holds only those parsers to it that get the
 * body in one piece. Bytes.
 */
export function bodyLimitOf(request: FastifyRequest): number {
  return Math.max(request.routeOptions.bodyLimit ?? 0, parserLimitOf(request) ?? 0)
}

/** Fastify offers a parser's limit nowhere. Without the symbol those of route and server count. */
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
