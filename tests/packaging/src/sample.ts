import { manifestIn, workspace } from './packages.ts'

/** The version in `engines`: `20.19.0`. */
export const oldestNode: string = `${manifestIn(workspace).engines?.node?.slice('>='.length)}.0`

/** Whether everything is run, as before a release: each version takes minutes, not seconds. */
const isWhole = process.env.MATRIX === 'whole'

const nodes = { run: [oldestNode, '26'], others: ['22', '24'] }
const compilers = { run: ['5.4'], others: ['5.5', '5.6', '5.7', '5.8', '5.9', '6.0'] }
const runtimes = { run: [] as Runtime[], others: ['Bun', 'Deno'] as Runtime[] }

/** A runtime that is no Node. */
export type Runtime = 'Bun' | 'Deno'

const testedOf = <One>({ run, others }: { run: One[]; others: One[] }): readonly One[] =>
  isWhole ? [...run, ...others] : run

/** The oldest Node that the packages support, the newest, and in a whole run those between. */
export const testedNodes: readonly string[] = testedOf(nodes)

/** Versions of TypeScript beside the workspace's own, which is the newest. */
export const testedCompilers: readonly string[] = testedOf(compilers)

export const testedRuntimes: readonly Runtime[] = testedOf(runtimes)

/** What a sample leaves out, in a sentence; `undefined` in a whole run. */
export const leftOut: string | undefined = isWhole
  ? undefined
  : `A sample was run, on Node ${nodes.run.join(' and ')}. Left out (npx -y pnpm@12 release:dry-run runs all): ` +
    `Node ${nodes.others.join(', ')}; TypeScript ${compilers.others.join(', ')}; ${runtimes.others.join(', ')}.`
