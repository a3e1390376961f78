/** One sentence of a contract, and how to check that an implementation satisfies it. */
export interface Behaviour<Context, Need extends string> {
  readonly title: string
  readonly needs?: readonly Need[]
  /** Throws if the implementation breaks the contract. */
  run(context: Context): Promise<void>
}

/** The sentences about one subject. */
export interface BehaviourGroup<Each extends { readonly title: string }> {
  readonly title: string
  readonly behaviours: readonly Each[]
}

/** For each need, why a fixture does not meet it; `undefined` if it does. */
export type Needs<Need extends string, Fixture> = Readonly<
  Record<Need, (fixture: Fixture) => string | undefined>
>

/** Why a behaviour with these needs is skipped on a fixture; `undefined` if it is not. */
export function unmetNeed<Need extends string, Fixture>(
  needs: Needs<Need, Fixture>,
  fixture: Fixture,
  wanted: readonly Need[] = [],
): string | undefined {
  for (const need of wanted) {
    const reason = needs[need](fixture)
    if (reason !== undefined) return `needs ${need}: ${reason}`
  }
  return undefined
}
