import { manifestIn, workspace } from './packages.ts'

/** The version in `engines`: `20.19.0`. */
export const oldestNode: string = `${manifestIn(workspace).engines?.node?.slice('>='.length)}.0`

/** The oldest version that the packages support, and the newest of the two lines after it. */
export const testedNodes: readonly string[] = [oldestNode, '22', '24']
