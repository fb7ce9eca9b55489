<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{status}} {{error}}</title>
</head>
<body>
<h1>{{error}}</h1>
<p>{{remedy}}</p>
</body>
</html>
