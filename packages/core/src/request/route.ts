import type { RequestFacts } from '../diagnostics.ts'
import type { Question } from '../question.ts'

/** What messages say of a request. Made when there is something to say: a router knows its route late. */
export function factsOf(question: Question): RequestFacts {
  return { ...question.facts, route: routeOf(question) }
}

function routeOf({ facts, request }: Question): string {
  if (facts.route !== undefined) return facts.route
  if (request === undefined) return facts.namespace
  return `${request.method} ${request.route?.() ?? withoutIds(request.target)}`
}

/**
 * A path as the pattern it most likely has, where no router says it: `/orders/42/items` is
 * `/orders/:id/items`. Messages and metrics are grouped by it, and there are as many paths as orders.
 */
export function withoutIds(target: string): string {
  const [path = ''] = target.split('?', 1)
  return path
    .split('/')
    .map((segment) => (isId(segment) ? ':id' : segment))
    .join('/')
}

function isId(segment: string): boolean {
  return (/\d/.test(segment) && !/^v\d{1,3}$/.test(segment)) || segment.length > 40
}
