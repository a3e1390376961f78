import { OptionsError } from '@oncekey/core'

/**
 * Checks the event types that an endpoint wants: a type as it is emitted (`order.created`),
 * everything below a prefix (`order.*`, which includes `order.item.added`), or everything (`*`).
 */
export function checkEventTypes(types: readonly string[]): readonly string[] {
  const fits = Array.isArray(types) && types.length > 0 && types.length <= MOST
  if (!fits) {
    throw new OptionsError(
      `types: list 1 to ${MOST} event types, such as ['order.created', 'refund.*'], or ['*'] for all.`,
    )
  }
  for (const type of types) {
    if (typeof type === 'string' && PATTERN.test(type) && type.length <= 255) continue
    throw new OptionsError(
      `types: ${JSON.stringify(type)} is not an event type. Write 'order.created', or a '*' for the rest of it: 'order.*'.`,
    )
  }
  return [...new Set(types)]
}

const MOST = 100
const PATTERN = /^(?:\*|[^\s.*]+(?:\.[^\s.*]+)*(?:\.\*)?)$/
