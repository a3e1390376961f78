import { type MemoryTransaction, memoryStore, type Store } from '@oncekey/core'

/** A memory store whose completions wait until they are let go, as those of a slow disk do. */
export interface HeldStore extends Store<MemoryTransaction> {
  /** Resolves when the next completion has been asked for. */
  asked(): Promise<void>
  /** Lets the completions that wait, and all later ones, through. */
  letGo(): void
}

export function heldStore(): HeldStore {
  const store = memoryStore()
  let letGo = () => {}
  const gate = new Promise<void>((resolve) => {
    letGo = resolve
  })
  let tell = () => {}
  const arrived = new Promise<void>((resolve) => {
    tell = resolve
  })
  return {
    capabilities: store.capabilities,
    open: store.open,
    async begin(claim) {
      const decision = await store.begin(claim)
      if (decision.kind !== 'run') return decision
      const { attempt } = decision
      return {
        kind: 'run',
        attempt: {
          ...attempt,
          async complete(completion) {
            tell()
            await gate
            return attempt.complete(completion)
          },
        },
      }
    },
    asked: () => arrived,
    letGo: () => letGo(),
  }
}
