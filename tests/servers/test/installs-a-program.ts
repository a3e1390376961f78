// Looks for a program that only apt-get can install, and reports the result.
import { findProgram } from '../src/program.ts'

const found = await findProgram({
  program: 'brought-by-apt',
  debianPackage: 'some-package',
  missing: 'install it yourself',
}).catch((error: Error) => `${error.message} ${error.cause}`)
console.log(JSON.stringify({ ready: true, found }))
