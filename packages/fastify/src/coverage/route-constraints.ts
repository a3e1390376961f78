import type { IncomingMessage } from 'node:http'
import { OptionsError } from '@oncekey/core'
import type { RouteOptions } from 'fastify'

/**
 * Returns the parts of a request, beside its method and URL, by which the router chose this route.
 */
export type ChosenBy = (raw: IncomingMessage) => readonly string[]

/**
 * Two requests that a route's constraints tell apart count as different requests. For `version` and
 * `host` the fingerprint covers the value that the client sent, so that a retry still matches after
 * a newer version of the route is deployed. For the app's own strategies it covers the value that
 * the route has. Throws an `OptionsError` if that value has no text of its own, because all such
 * values would be one.
 */
export function chosenBy({
  method,
  url,
  constraints,
}: Pick<RouteOptions, 'method' | 'url' | 'constraints'>): ChosenBy | undefined {
  const given = Object.entries(constraints ?? {})
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => [name, String(value)] as const)
  if (given.length === 0) return undefined
  for (const [name, text] of given) {
    if (!text.includes('[object ')) continue
    throw new OptionsError(
      `The constraint \`${name}\` of ${[method].flat().join(', ')} ${url} is an object, which cannot tell its requests from those of another route. Make it text, a number or a regular expression, give it a \`toString\` of its own, or say \`config: { idempotency: false }\`.`,
    )
  }
  return ({ headers }) =>
    given.map(([name, text]) => {
      if (name === 'version') return `accept-version=${headers['accept-version']}`
      if (name === 'host')
        return `host=${String(headers.host ?? headers[':authority']).toLowerCase()}`
      return `${name}=${text}`
    })
}
