/** The result of one behaviour in the contract, for one adapter on one store. */
export interface Outcome {
  readonly adapter: string
  readonly store: string
  /** The name of the behaviour in the contract: `keys > are at most 255 characters`. */
  readonly behaviour: string
  /** Why the behaviour was skipped; `undefined` if its test passed. */
  readonly skipped: string | undefined
}

/** Stores that run on one adapter only, and why that is enough. */
export interface Single {
  readonly why: string
  readonly outcomes: readonly Outcome[]
}

/** The page `docs/matrix.md` for a run. Throws if a cell is missing without a reason. */
export function matrixPage(outcomes: readonly Outcome[], singles: readonly Single[]): string {
  const all = [...outcomes, ...singles.flatMap((single) => single.outcomes)]
  return `# Matrix

Every adapter on every store, over real HTTP and real servers. A number says how many of
the ${namesIn(all, 'behaviour').length} sentences of the adapter contract, each of which is a test, passed. A test writes this page
(\`npx -y pnpm@12 matrix\`), and CI fails when a run differs from it.
Older versions of the frameworks pass the same contract on the memory store: [all
versions](upgrading.md#versions-node-postgres-redis-frameworks) that are supported.

${table(outcomes)}

${singles.map(({ why, outcomes }) => `${why}\n\n${table(outcomes)}\n\n`).join('')}## What is skipped, and why

${skips(all).join('\n\n')}
`
}

function table(outcomes: readonly Outcome[]): string {
  const adapters = namesIn(outcomes, 'adapter')
  const stores = namesIn(outcomes, 'store')
  const head = `| | ${stores.join(' | ')} |\n|---|${stores.map(() => '---:|').join('')}`
  const rows = adapters.map((adapter) => {
    const cells = stores.map((store) => cellText(outcomes, adapter, store))
    return `| ${adapter} | ${cells.join(' | ')} |`
  })
  return [head, ...rows].join('\n')
}

function cellText(outcomes: readonly Outcome[], adapter: string, store: string): string {
  const cell = outcomes.filter((one) => one.adapter === adapter && one.store === store)
  if (cell.length === 0)
    throw new Error(`${adapter} was not run on ${store}, and nothing says why.`)
  return `${cell.filter(({ skipped }) => skipped === undefined).length}`
}

function skips(outcomes: readonly Outcome[]): string[] {
  const sentences = new Map<string, Outcome[]>()
  for (const outcome of outcomes.filter(({ skipped }) => skipped !== undefined)) {
    const { behaviour, skipped } = outcome
    if (!skipped) throw new Error(`“${behaviour}” was skipped without a reason.`)
    const sentence = JSON.stringify([behaviour, skipped])
    sentences.set(sentence, [...(sentences.get(sentence) ?? []), outcome])
  }
  const sections = new Map<string, string[]>()
  for (const cells of sentences.values()) {
    const { behaviour, skipped } = cells[0] as Outcome
    const title = `**${where(cells, outcomes)}**: ${skipped}`
    sections.set(title, [...(sections.get(title) ?? []), `- ${behaviour}`])
  }
  return [...sections].map(([title, lines]) => [title, '', ...lines].join('\n'))
}

/**
 * Names where a behaviour is skipped: adapters that skip it on every store, stores that skip it on
 * every adapter, and the remaining cells.
 */
function where(cells: readonly Outcome[], outcomes: readonly Outcome[]): string {
  const { behaviour } = cells[0] as Outcome
  const all = outcomes.filter((one) => one.behaviour === behaviour)
  const covered = (part: 'adapter' | 'store', within: readonly Outcome[]) =>
    namesIn(within, part).filter((name) =>
      all.filter((one) => one[part] === name).every((one) => within.includes(one)),
    )
  const adapters = covered('adapter', cells)
  if (adapters.length === namesIn(all, 'adapter').length) return 'Everywhere'
  const stores = covered('store', cells)
  const left = cells.filter(
    ({ adapter, store }) => !adapters.includes(adapter) && !stores.includes(store),
  )
  const others = namesIn(all, 'store').filter((store) => !stores.includes(store))
  const most = stores.length > others.length
  return [
    ...adapters,
    ...(most ? [`every store but ${others.join(' and ')}`] : stores),
    ...left.map(({ adapter, store }) => `${adapter} on ${store}`),
  ].join('; ')
}

/** The distinct values of one part, in the order in which they occur. */
export function namesIn(
  outcomes: readonly Outcome[],
  part: 'adapter' | 'store' | 'behaviour',
): string[] {
  return [...new Set(outcomes.map((outcome) => outcome[part]))]
}
