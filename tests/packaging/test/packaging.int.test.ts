import { afterAll, beforeAll } from 'vitest'
import { type Installed, installEveryPackage } from '../src/installed.ts'
import { nodeBinary } from '../src/npm-program.ts'
import { leftOut, testedNodes } from '../src/sample.ts'
import { describeBundles } from './bundles.ts'
import { describeTypes } from './declarations.ts'
import { describeNest } from './nest.ts'
import { describeNodes } from './nodes.ts'
import { describeRuntimes } from './runtimes.ts'
import { describeTarballs } from './tarballs.ts'
import { describeThirdParty } from './third-party.ts'

let installed: Installed | undefined

beforeAll(async () => {
  if (leftOut !== undefined) console.log(leftOut)
  // The downloads begin early, because they take a while. If a binary is missing, only the tests
  // that need it fail, and say why.
  const binaries = Promise.allSettled(testedNodes.map(nodeBinary))
  installed = await installEveryPackage()
  await binaries
}, 300_000)

afterAll(() => installed?.remove())

// One file, because building and installing take most of the time.
const packages = () => {
  if (installed === undefined) throw new Error('nothing is installed')
  return installed
}
describeTarballs(packages)
describeNodes(packages)
describeRuntimes(packages)
describeBundles(packages)
describeTypes(packages)
describeThirdParty(packages)
describeNest(packages)
