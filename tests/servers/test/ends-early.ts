console.log('not today')
process.exit(3)
