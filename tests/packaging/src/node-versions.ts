import { manifestIn, workspace } from './packages.ts'

/** As `engines` has it: `20.19.0`. */
export const oldestNode: string = `${manifestIn(workspace).engines?.node?.slice('>='.length)}.0`

/** The oldest that the packages say they run on, and the newest of the two lines after it. */
export const testedNodes: readonly string[] = [oldestNode, '22', '24']
