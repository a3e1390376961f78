import { type MemoryTransaction, memoryStore, type Store } from '@oncekey/core'

/** A memory store whose completions wait until they are released, like those of a slow disk. */
export interface HeldStore extends Store<MemoryTransaction> {
  /** Resolves when the next completion is requested. */
  asked(): Promise<void>
  /** Releases the waiting completions and all later ones. */
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
    ...store,
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
