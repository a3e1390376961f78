import { beforeEach } from 'vitest'
import { eventOf, webhooksDatabase } from '../servers/webhooks-database.ts'

export const database = webhooksDatabase()
beforeEach(() => database.empty())
export const events = (count: number) => Array.from({ length: count }, () => eventOf())

/** A promise, and the function that resolves it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}
