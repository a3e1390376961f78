import type { IncomingMessage } from 'node:http'
import type { RouteOptions } from 'fastify'

/**
 * Returns the parts of a request, beside its method and URL, by which the router chose this route.
 */
export type ChosenBy = (raw: IncomingMessage) => readonly string[]

/**
 * For a route with constraints: two requests that they tell apart are two requests. Of `version`
 * and `host` it is what the client sent that counts, so that a retry is the same one also after a
 * newer version of the route is there; of a strategy of the app's own, the value it has on the
 * route.
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
