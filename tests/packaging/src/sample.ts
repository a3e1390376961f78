import { manifestIn, workspace } from './packages.ts'

/** The version in `engines`: `20.19.0`. */
export const oldestNode: string = `${manifestIn(workspace).engines?.node?.slice('>='.length)}.0`

/**
 * Whether all versions are tested, as before a release. That takes minutes instead of seconds for
 * each.
 */
const isWhole = process.env.MATRIX === 'whole'

const nodes = { run: [oldestNode, '26'], others: ['22', '24'] }
const compilers = { run: ['5.4'], others: ['5.5', '5.6', '5.7', '5.8', '5.9', '6.0'] }
const runtimes = { run: [] as Runtime[], others: ['Bun', 'Deno'] as Runtime[] }

/** A runtime that is no Node. */
export type Runtime = 'Bun' | 'Deno'

const testedOf = <One>({ run, others }: { run: One[]; others: One[] }): readonly One[] =>
  isWhole ? [...run, ...others] : run

/** The oldest and the newest Node that the packages support; in a whole run also those between. */
export const testedNodes: readonly string[] = testedOf(nodes)

/** Versions of TypeScript in addition to the workspace's own, which is the newest. */
export const testedCompilers: readonly string[] = testedOf(compilers)

export const testedRuntimes: readonly Runtime[] = testedOf(runtimes)

/** What a sample leaves out, in a sentence; `undefined` in a whole run. */
export const leftOut: string | undefined = isWhole
  ? undefined
  : `A sample was run, on Node ${nodes.run.join(' and ')}. Left out (npx -y pnpm@12 release:dry-run runs all): ` +
    `Node ${nodes.others.join(', ')}; TypeScript ${compilers.others.join(', ')}; ${runtimes.others.join(', ')}.`
