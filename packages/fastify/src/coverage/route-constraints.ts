import type { IncomingMessage } from 'node:http'
import type { RouteOptions } from 'fastify'

/**
 * Returns the parts of a request, beside its method and URL, by which the router chose this route.
 */
export type ChosenBy = (raw: IncomingMessage) => readonly string[]

/**
 * Two requests that a route's constraints tell apart count as different requests. For `version` and
 * `host` the fingerprint covers the value that the client sent, so that a retry still matches after
 * a newer version of the route is deployed. For the app's own strategies it covers the value that
 * the route has.
 */
export function chosenBy({ constraints }: Pick<RouteOptions, 'constraints'>): ChosenBy | undefined {
  const given = Object.entries(constraints ?? {}).sort(([one], [other]) => (one < other ? -1 : 1))
  if (given.length === 0) return undefined
  return ({ headers }) =>
    given.map(([name, value]) => {
      if (name === 'version') return `accept-version=${headers['accept-version']}`
      if (name === 'host')
        return `host=${String(headers.host ?? headers[':authority']).toLowerCase()}`
      return `${name}=${String(value)}`
    })
}
