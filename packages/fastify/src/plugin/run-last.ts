import type { RouteOptions } from 'fastify'

/**
 * Runs after all other hooks of the route, including those that plugins registered later add in the
 * same tick.
 */
export function runLast(
  route: RouteOptions,
  name: 'preParsing' | 'preHandler' | 'onSend',
  hook: unknown,
): void {
  const hooks = route as unknown as Record<string, unknown>
  // Copies the array, because other routes may share it.
  const moveLast = () => {
    hooks[name] = [[hooks[name] ?? []].flat().filter((other) => other !== hook), hook].flat()
  }
  moveLast()
  queueMicrotask(moveLast)
}
