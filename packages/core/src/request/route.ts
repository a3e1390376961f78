import type { RequestFacts } from '../telemetry/channels.ts'
import type { EngineRequest } from './engine-request.ts'

/**
 * The facts of a request for messages. Call it only when there is a message to publish, because a
 * router may know its route late.
 */
export function factsOf(question: {
  readonly facts: Omit<RequestFacts, 'route'> & Partial<Pick<RequestFacts, 'route'>>
  readonly request?: EngineRequest | undefined
}): RequestFacts {
  return { ...question.facts, route: routeOf(question) }
}

/**
 * Method and route pattern, as far as they are known yet. The method is in upper case, so that a
 * client cannot make a group of its own in metrics by another spelling.
 */
export function routeOf({
  facts,
  request,
}: {
  readonly facts: { readonly namespace: string; readonly route?: string }
  readonly request?: EngineRequest | undefined
}): string {
  if (facts.route !== undefined) return facts.route
  if (request === undefined) return facts.namespace
  return `${request.method.toUpperCase()} ${patternOf(request)}`
}

/** A message must never cost a request its attempt, so a `route` that throws counts as unknown. */
function patternOf(request: EngineRequest): string {
  try {
    return request.route?.() ?? withoutIds(request.target)
  } catch {
    return withoutIds(request.target)
  }
}

/**
 * Guesses the route pattern of a path where no router provides it: `/orders/42/items` becomes
 * `/orders/:id/items`. Messages and metrics are grouped by route, and paths would make as many
 * groups as there are orders.
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
