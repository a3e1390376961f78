import type { IncomingMessage } from 'node:http'
import type { RouteOptions } from 'fastify'

/**
 * Returns the parts of a request, beside its method and URL, by which the router chose this route.
 */
export type ChosenBy = (raw: IncomingMessage) => readonly string[]

/**
 * Requests that a route's constraints tell apart are different requests. For `version` and `host`
 * the value that the client sent counts, so that a retry stays the same after a newer version of
 * the route is deployed; for a strategy of the app's own, the value that the route has.
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
