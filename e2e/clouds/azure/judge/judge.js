// Judges exchanges by Microsoft's own validator and Microsoft's own definitions. Usage: node judge.js MODULES SPECS VERDICTS, exchanges on
// standard input, one JSON object a line. VERDICTS gets one JSON object a line for each violation, and last a count. It is a file, since
// the validator writes to standard output itself.
'use strict';

const fs = require('fs');
const path = require('path');
const readline = require('readline');

const [modules, specs, verdicts] = process.argv.slice(2);
const { LiveValidator } = require(path.join(modules, 'oav/dist/lib/liveValidation/liveValidator'));

// Microsoft's definitions of Microsoft.Compute name no error answers at all, though a resource that is not there is answered by 404, and a busy service by 429 or 503, in Resource
// Manager's envelope. Such answers pass, where they have the envelope.
function isUndefinedFailure(side, error, exchange) {
  const told = exchange.responseBody?.error;
  return side === 'response' && [404, 429, 503].includes(exchange.status) && /RESPONSE.*CODE/.test(error.code) && typeof told?.code === 'string' && typeof told?.message === 'string';
}

async function main() {
  const validator = new LiveValidator({
    directory: specs,
    git: { shouldClone: false },
    swaggerPathsPattern: ['specification/**/stable/**/*.json', 'specification/**/preview/**/*.json'],
    excludedSwaggerPathsPattern: [],
    isPathCaseSensitive: false,
  });
  await validator.initialize();
  const out = fs.openSync(verdicts, 'w');
  const write = (verdict) => fs.writeSync(out, JSON.stringify(verdict) + '\n');
  let judged = 0;
  const lines = readline.createInterface({ input: process.stdin, crlfDelay: Infinity });
  for await (const line of lines) {
    const exchange = JSON.parse(line);
    const say = (side, code, message) =>
      write({ number: judged, method: exchange.method, url: exchange.url, side, code, message });
    const result = await validator.validateLiveRequestResponse({
      liveRequest: {
        method: exchange.method,
        url: exchange.url,
        headers: exchange.requestHeaders,
        body: exchange.requestBody ?? undefined,
      },
      liveResponse: { statusCode: String(exchange.status), headers: exchange.responseHeaders, body: exchange.responseBody ?? undefined },
    });
    for (const [side, outcome] of [['request', result.requestValidationResult], ['response', result.responseValidationResult]]) {
      const broken = outcome.runtimeException ?? result.runtimeException;
      if (broken) say(side, broken.code, broken.message);
      for (const error of outcome.errors.filter((error) => !isUndefinedFailure(side, error, exchange))) say(side, error.code, `${error.message} at ${(error.pathsInPayload ?? []).join(', ')}`);
      // Without an operation, nothing was judged: that is no pass.
      const silent = !broken && outcome.errors.length === 0 && outcome.isSuccessful !== true;
      if (silent) say(side, 'NOT_JUDGED', 'the validator came to no verdict');
    }
    judged += 1;
  }
  write({ judged });
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
