import type { RouteOptions } from 'fastify'

/** Last even of the hooks that plugins registered later add to the route: those see it in this same tick. */
export function runLast(
  route: RouteOptions,
  name: 'preParsing' | 'preHandler' | 'onSend',
  hook: unknown,
): void {
  const hooks = route as unknown as Record<string, unknown>
  // A new list: the one given may be another route's too.
  const moveLast = () => {
    hooks[name] = [[hooks[name] ?? []].flat().filter((other) => other !== hook), hook].flat()
  }
  moveLast()
  queueMicrotask(moveLast)
}
