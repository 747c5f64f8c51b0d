. .signet/env   # API, EDGE and KEY of the Signet that is running
export PATH="$PWD/target/debug:$PATH"
file=.signet/pictures/harbour.jpg
post() { curl -sS -X POST "$API$1" -H "Authorization: $KEY" -H 'Content-Type: application/json' "${@:2}"; }
field() { python3 -c "import json,sys; print(json.load(sys.stdin)['$1'])"; }

# Upload: a ticket, the bytes, done.
ticket=$(post /media/v1/uploads -d '{"filename":"harbour.jpg","contentType":"image/jpeg","sizeBytes":'$(stat -c %s $file)',"visibility":"PUBLIC"}')
id=$(echo "$ticket" | field assetId)
curl -sS -X PUT "$(echo "$ticket" | field uploadUrl)" -H 'Content-Type: image/jpeg' -H 'If-None-Match: *' --data-binary @$file
post /media/v1/uploads/$id/finalize | python3 -m json.tool --no-ensure-ascii

# Sign: the permalink leads to a signed link, the same one for half of its life.
link=$(curl -sS "$API/m/$id?format=json" | field link)
echo "$link"

# Fetch: the edge serves what is signed, and nothing else.
curl -sS "$link" | cmp - $file && echo 'the same bytes'
curl -sS -o /dev/null -w '%{http_code}\n' "${link/harbour/Harbour}"
signet inspect --public-key .signet/keys/public.pem "${link/harbour/Harbour}" || true

# Sign a document: the gallery, the references and the rich text in it.
post /media/v1/documents --data-binary @.signet/content.json -D - -o .signet/signed.json | grep -i '^signet-media'
python3 -c 'import json; print(json.load(open(".signet/signed.json"))["data"]["carousel"]["slides"][1][0]["currentFile"]["source"])'
