import { afterAll, beforeAll } from 'vitest'
import { type Installed, installEveryPackage } from '../src/installed.ts'
import { nodeBinary } from '../src/node-binary.ts'
import { testedNodes } from '../src/node-versions.ts'
import { describeTypes } from './declarations.ts'
import { describeNodes } from './nodes.ts'
import { describeTarballs } from './tarballs.ts'
import { describeThirdParty } from './third-party.ts'

let installed: Installed | undefined

beforeAll(async () => {
  // They take a while to arrive. One that does not fails the tests that run on it, and says why there.
  const binaries = Promise.allSettled(testedNodes.map(nodeBinary))
  installed = await installEveryPackage()
  await binaries
}, 300_000)

afterAll(() => installed?.remove())

// One file, because building and installing is most of the work.
const packages = () => {
  if (installed === undefined) throw new Error('nothing is installed')
  return installed
}
describeTarballs(packages)
describeNodes(packages)
describeTypes(packages)
describeThirdParty(packages)
